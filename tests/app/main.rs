//! Applications, on the simulated server: nothing waits, and time passes only in `advance`.

mod answers;
mod bounds;
mod following;
mod logged;
mod peers;
mod routes;
mod sequences;
mod sockets;
mod threads;
mod timers;
