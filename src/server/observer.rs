//! Observation: a copy of every byte that passes, for a program that wants to see it.
//!
//! The server knows nothing about the observer but this trait. The wire view is one.

use crate::transport::Purpose;

/// The side that has sent some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sender {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// Sees the bytes of all connections.
///
/// A connection is known by a number that is unique among the open connections. All calls happen
/// inside the loop iteration, so an observer must not wait for anything.
pub trait Observer {
    /// Returns whether the observer wants the bytes of connections now.
    fn is_active(&self) -> bool;

    /// Called when a loop iteration begins.
    fn begin_iteration(&mut self);

    /// Called when a connection has been accepted.
    fn opened(&mut self, connection: u32);

    /// Called when the purpose of the current request is known, and again for each later part of
    /// the request. The client's last bytes belong to that request.
    fn has_purpose(&mut self, connection: u32, purpose: Purpose);

    /// Called when bytes have been read or written, if the observer is active.
    fn passed(&mut self, connection: u32, sender: Sender, bytes: &mut dyn Iterator<Item = &[u8]>);

    /// Called when a connection has been closed.
    fn closed(&mut self, connection: u32);

    /// Returns the work since the last call, in units of about a nanosecond. The server counts it
    /// as work of the loop iteration.
    fn take_work(&mut self) -> u64 {
        0
    }

    /// Returns the memory that the observer holds, in bytes. The server adds it to the memory of
    /// its connections, which [`Options::buffered_bytes`](super::Options::buffered_bytes) bounds,
    /// but can free only that of the connections. So an observer must bound its own memory well
    /// below it.
    fn memory(&self) -> usize {
        0
    }

    /// Called when a loop iteration ends, unless earlier events are still being delivered.
    /// `is_followed` means that a client follows `/wire` now. `publish` sends an event to these
    /// clients.
    fn end_iteration(&mut self, is_followed: bool, publish: &mut dyn FnMut(&str));
}

/// The observer of a server, if there is one.
#[derive(Default)]
pub struct ObserverSlot(pub Option<Box<dyn Observer>>);

impl ObserverSlot {
    /// Returns the observer, whether active or not.
    pub fn get(&mut self) -> Option<&mut dyn Observer> {
        self.0.as_deref_mut().map(|observer| observer as &mut dyn Observer)
    }

    /// Returns the observer if it is active.
    pub fn active(&mut self) -> Option<&mut dyn Observer> {
        self.get().filter(|observer| observer.is_active())
    }
}
