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
    /// Whether the bytes of connections are wanted now.
    fn is_active(&self) -> bool;

    /// A loop iteration begins.
    fn begin_iteration(&mut self);

    /// A connection was accepted.
    fn opened(&mut self, connection: u32);

    /// The purpose of the request to which the client's last bytes belong has become known.
    fn has_purpose(&mut self, connection: u32, purpose: Purpose);

    /// Bytes have passed. Called only while the observer is active.
    fn passed<'b>(&mut self, connection: u32, sender: Sender, bytes: &mut dyn Iterator<Item = &'b [u8]>);

    /// A connection was closed.
    fn closed(&mut self, connection: u32);

    /// A loop iteration ends. `is_followed`: a client follows `/wire` now. `publish` sends an event
    /// to such clients.
    fn end_iteration(&mut self, is_followed: bool, publish: &mut dyn FnMut(&str));
}

/// The observer of a server, if there is one.
#[derive(Default)]
pub struct Observing(Option<Box<dyn Observer>>);

impl Observing {
    /// Sets the observer.
    pub fn set(&mut self, observer: Box<dyn Observer>) {
        self.0 = Some(observer);
    }

    /// Returns the observer, whether active or not.
    pub fn get(&mut self) -> Option<&mut dyn Observer> {
        self.0.as_deref_mut().map(|observer| observer as &mut dyn Observer)
    }

    /// Returns the observer if it is active.
    pub fn active(&mut self) -> Option<&mut dyn Observer> {
        self.get().filter(|observer| observer.is_active())
    }
}
