//! The event loop of one trial: it connects the clients and the publisher to their sockets.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use super::clients::Clients;
use super::error::CompareError;
use super::publisher::{Action, Publisher};
use crate::client::follow::Error;
use crate::tools::load::{ClientPool, EndReason, Handler, Output};

/// The event loop of one trial. The id of a client's connection is the client's index, and the
/// publisher's id is the next number.
pub struct EventLoop {
    address: SocketAddr,
    pool: ClientPool<()>,
    participants: Participants,
}

/// The clients and the publisher.
struct Participants {
    clients: Clients,
    publisher: Publisher,
    /// The first error that ends the trial.
    error: Option<CompareError>,
}

impl EventLoop {
    /// Returns an event loop whose clients and publisher connect to `address`.
    ///
    /// # Errors
    /// The operating system could not create the poll.
    pub fn new(address: SocketAddr, clients: Clients, publisher: Publisher) -> io::Result<Self> {
        let participants = Participants { clients, publisher, error: None };
        Ok(Self { address, pool: ClientPool::new(1)?, participants })
    }

    pub fn clients(&self) -> &Clients {
        &self.participants.clients
    }

    pub fn clients_mut(&mut self) -> &mut Clients {
        &mut self.participants.clients
    }

    pub fn publisher(&self) -> &Publisher {
        &self.participants.publisher
    }

    pub fn publisher_mut(&mut self) -> &mut Publisher {
        &mut self.participants.publisher
    }

    /// Runs one loop iteration: waits at most until `until`, then handles what is ready or due.
    ///
    /// # Errors
    /// The first error that ends the trial.
    pub fn run_once(&mut self, until: Instant) -> Result<(), CompareError> {
        let wakeups = [self.participants.clients.wakeup(), self.participants.publisher.wakeup()];
        let until = wakeups.into_iter().flatten().fold(until, Instant::min);
        self.pool.run_once(until, &mut self.participants)?;
        self.run_publisher(Instant::now())?;
        let now = Instant::now();
        while let Some(index) = self.participants.clients.next_due(now) {
            self.send_request(index)?;
        }
        self.participants.error.take().map_or(Ok(()), Err)
    }

    fn run_publisher(&mut self, now: Instant) -> Result<(), CompareError> {
        let id = self.participants.clients.count();
        while let Some(action) = self.participants.publisher.next_action(now, self.pool.is_open(id)) {
            match action {
                Action::Connect => self.pool.open(id, self.address, (), Vec::new())?,
                Action::Send(request) => self.send(id, request)?,
            }
        }
        Ok(())
    }

    fn send_request(&mut self, index: usize) -> Result<(), CompareError> {
        let clients = &mut self.participants.clients;
        if !self.pool.is_open(index) {
            clients.use_new_connection(index);
        }
        let mut request = Vec::new();
        clients.write_request(index, &mut request)?;
        Ok(self.send(index, request)?)
    }

    /// Sends a request on an open connection, or else on a new one.
    fn send(&mut self, id: usize, request: Vec<u8>) -> io::Result<()> {
        if !self.pool.is_open(id) {
            return self.pool.open(id, self.address, (), request);
        }
        self.pool.send(id, &mut self.participants, |pending| pending.extend_from_slice(&request));
        Ok(())
    }
}

impl Participants {
    fn is_publisher(&self, id: usize) -> bool {
        id == self.clients.count()
    }

    fn check(&mut self, result: Result<(), impl Into<CompareError>>) {
        if let Err(error) = result {
            self.error.get_or_insert(error.into());
        }
    }
}

impl Handler<()> for Participants {
    fn connected(&mut self, _id: usize, _output: &mut Output) {}

    fn received(
        &mut self,
        id: usize,
        (): &mut (),
        input: &mut [u8],
        output: &mut Output,
        now: Instant,
    ) -> Result<(), Error> {
        if self.is_publisher(id) {
            let received = self.publisher.received(input, output, now);
            self.check(received);
            return Ok(());
        }
        self.clients.received(id, input, output, now, &self.publisher)
    }

    fn end_of_input(&mut self, id: usize, (): &mut (), output: &mut Output, now: Instant) {
        if self.is_publisher(id) {
            let ended = self.publisher.end_of_input(output, now);
            self.check(ended);
        } else if !self.clients.is_waiting(id) {
            output.close();
        }
    }

    fn written(&mut self, id: usize, length: usize) {
        if !self.is_publisher(id) {
            self.clients.written(id, length);
        }
    }

    fn ended(&mut self, id: usize, reason: EndReason) {
        let error = match reason {
            EndReason::NotConnected(error) | EndReason::Broken(error) => Some(error),
            EndReason::Closed => None,
            EndReason::Protocol(error) => return self.check(Err(error)),
        };
        if self.is_publisher(id) {
            let ended = error.map_or(Ok(()), |error| self.publisher.broken(error));
            return self.check(ended);
        }
        let ended = self.clients.ended(id, error, Instant::now(), &self.publisher);
        self.check(ended);
    }
}
