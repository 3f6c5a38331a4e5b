//! One case being played against one endpoint.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::client::ClientSession;
use super::connection::Connection;
use super::record::{Record, SharedRecord};
use super::suite::Endpoint;
use super::target::{ServerTarget, Target};

pub use super::finding::{Finding, Mark};

/// The time that a client under test has from its start to its first connection.
const START_TIME: Duration = Duration::from_secs(30);

/// What the function of a case works with.
pub struct Trial<'t> {
    target: &'t Target,
    /// The client under test, if the endpoint is a client.
    client: Option<ClientSession>,
    limit: Duration,
    deadline: Instant,
    record: SharedRecord,
}

impl<'t> Trial<'t> {
    /// Returns a trial that ends `limit` from now.
    pub fn new(target: &'t Target, client: Option<ClientSession>, limit: Duration) -> Self {
        let record = Rc::new(RefCell::new(Record::new()));
        Self { target, client, limit, deadline: Instant::now() + limit, record }
    }

    /// Returns the kind of endpoint under test.
    pub fn endpoint(&self) -> Endpoint {
        if self.client.is_some() { Endpoint::Client } else { Endpoint::Server }
    }

    /// Returns the server under test.
    ///
    /// # Errors
    /// The case is not applicable: the endpoint is a client.
    pub fn server(&self) -> Result<&'t ServerTarget, Finding> {
        match self.target {
            Target::Server(server) => Ok(server),
            Target::Client(_) => Err(Finding::NotApplicable("the case tests servers".into())),
        }
    }

    /// Returns the client under test.
    ///
    /// # Errors
    /// The case is not applicable: the endpoint is a server.
    pub fn client(&mut self) -> Result<&mut ClientSession, Finding> {
        self.client.as_mut().ok_or_else(|| Finding::NotApplicable("the case tests clients".into()))
    }

    /// Opens a connection to the server under test.
    ///
    /// # Errors
    /// A finding: the server does not accept it.
    pub fn connect(&self, address: SocketAddr) -> Result<Connection, Finding> {
        Connection::connect(address, self.deadline, self.record.clone())
    }

    /// Waits for the next connection of the client under test. The time of the trial begins with
    /// the first one: a client may take long to start, and more so if others start as well.
    ///
    /// # Errors
    /// A finding: the client does not connect before `until`.
    pub fn accept(&mut self, until: Instant) -> Result<Connection, Finding> {
        let is_starting = self.record.borrow().is_empty();
        let until = if is_starting { Instant::now() + START_TIME } else { until.min(self.deadline) };
        let (stream, input) = self.client()?.accept(until)?;
        if is_starting {
            self.deadline = Instant::now() + self.limit;
        }
        Connection::accepted(stream, input, self.deadline, self.record.clone())
    }

    /// Returns the time at which the case must be over.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns the time that is `wait` from now, but not after the deadline.
    pub fn after(&self, wait: Duration) -> Instant {
        (Instant::now() + wait).min(self.deadline)
    }

    /// Ends the trial and returns its record.
    pub fn into_record(self) -> Record {
        let Self { client, record, .. } = self;
        drop(client);
        // A connection that outlives its trial would share the record; the function of a case
        // cannot keep one.
        Rc::try_unwrap(record).map_or_else(|shared| shared.borrow().clone(), RefCell::into_inner)
    }
}
