//! The client: over sockets against barewire, against servers that play a script, right or wrong, and against an independent one; and its
//! followers without sockets.

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
