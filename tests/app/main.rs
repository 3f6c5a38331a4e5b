//! Applications, on the simulated server: nothing waits, and time passes only in `advance`.

mod answers;
mod following;
mod peers;
mod routes;
mod sockets;
mod threads;
mod timers;
