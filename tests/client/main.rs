//! The client over sockets: against a server that plays a script, right or wrong, and against an independent one.

#[cfg(feature = "deflate")]
mod compression;
mod follow;
mod independent;
mod opening;
mod scripted;
mod talking;
