//! Tests of the client: over sockets against barewire, against scripted servers and against an
//! independent server, and of the followers without sockets.

#[cfg(feature = "deflate")]
mod compression;
mod follow;
mod following;
mod independent;
mod opening;
#[cfg(feature = "cli")]
mod page;
mod publishing;
#[path = "../running/mod.rs"]
mod running;
mod scripted;
mod servers;
mod talking;
