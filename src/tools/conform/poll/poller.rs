//! A client that polls: it sends the cursor of each response with its next request.

use std::thread;
use std::time::{Duration, Instant};

use crate::tools::conform::connection::{Connection, Received};
use crate::tools::conform::exchange::{Request, ResponseHead, ResponseReader};
use crate::tools::conform::target::{Template, Values};
use crate::tools::conform::topic::{ARRIVAL, Topic};
use crate::tools::conform::trial::{Finding, Trial};
use crate::tools::cursor_place::CursorPlace;

/// The number of polls after which an event must have arrived.
const MAX_POLLS: usize = 1000;

/// The `wait` of a poll that an event ends.
pub const HELD: Option<&str> = Some("5");

/// The time in which a request that was just sent has reached the server, and is held.
pub const REACHED: Duration = Duration::from_millis(150);

/// The time between two short polls that find nothing.
const INTERVAL: Duration = Duration::from_millis(10);

/// The form of one poll.
#[derive(Clone, Copy)]
pub struct Poll<'p> {
    pub method: &'p str,
    pub version: &'p str,
    /// The value of `{wait}`; `None` for a short poll.
    pub wait: Option<&'p str>,
    pub fields: &'p [(&'p str, &'p str)],
}

impl Default for Poll<'_> {
    fn default() -> Self {
        Self { method: "GET", version: "HTTP/1.1", wait: None, fields: &[] }
    }
}

impl<'p> Poll<'p> {
    /// Returns a poll that is held for this time.
    pub fn held(wait: Option<&'p str>) -> Self {
        Self { wait, ..Self::default() }
    }
}

/// The response to a poll.
pub struct Answer {
    pub head: ResponseHead,
    pub body: Vec<u8>,
    /// The time from the request to the end of the response.
    pub time: Duration,
    connection: u64,
    offset: u64,
}

impl Answer {
    /// Returns whether the body has an event with this token.
    pub fn has(&self, token: &str) -> bool {
        self.body.windows(token.len()).any(|part| part == token.as_bytes())
    }

    /// Returns a failure at the end of this response.
    pub fn failed(&self, expected: impl std::fmt::Display, observed: impl std::fmt::Display) -> Finding {
        Finding::failed(expected, observed).at(self.connection, self.offset.saturating_sub(1))
    }
}

/// A client that polls one topic.
pub struct Poller<'t> {
    template: &'t Template,
    place: CursorPlace,
    topic: String,
    connection: Option<Connection>,
    method: String,
    sent: Instant,
    pub cursor: String,
}

impl<'t> Poller<'t> {
    /// Returns a poller without a cursor.
    ///
    /// # Errors
    /// The case is not applicable: the server has no resource to poll.
    pub fn new(topic: &Topic<'t>) -> Result<Self, Finding> {
        let server = topic.server();
        let missing = || Finding::NotApplicable("the server has no resource to poll".into());
        Ok(Self {
            template: server.poll.as_ref().ok_or_else(missing)?,
            place: server.cursor.clone().unwrap_or_else(|| CursorPlace::Json("next".into())),
            topic: topic.name().to_owned(),
            connection: None,
            method: String::new(),
            sent: Instant::now(),
            cursor: String::new(),
        })
    }

    /// Returns a poller with the cursor after an event that it published and received.
    ///
    /// # Errors
    /// A finding: the event does not arrive, or its response has no cursor.
    pub fn started(trial: &Trial, topic: &mut Topic<'t>, wait: Option<&str>) -> Result<Self, Finding> {
        let mut poller = Self::new(topic)?;
        // A poll that is not held has the cursor at once, even if it starts after all events.
        poller.send(trial, Poll::held(wait.map(|_| "0")))?;
        poller.wait_until_reached(trial)?;
        match poller.is_answered() {
            true => drop(poller.receive(trial, trial.after(ARRIVAL))?),
            false => poller.connection = None,
        }
        if poller.cursor.is_empty() && wait.is_some() {
            // The server does not know a wait of 0, or has no cursor before the first event.
            poller.send(trial, Poll::held(HELD))?;
            poller.wait_until_reached(trial)?;
            topic.publish_token(trial)?;
            poller.receive(trial, trial.after(ARRIVAL))?;
        }
        let token = topic.publish_token(trial)?;
        poller.collect(trial, topic, wait, &token)?;
        match poller.cursor.is_empty() {
            true => Err(Finding::NotApplicable("no response has a cursor: use --cursor".into())),
            false => Ok(poller),
        }
    }

    /// Returns another poller with the same cursor.
    pub fn twin(&self) -> Self {
        Self {
            template: self.template,
            place: self.place.clone(),
            topic: self.topic.clone(),
            connection: None,
            method: String::new(),
            sent: Instant::now(),
            cursor: self.cursor.clone(),
        }
    }

    /// Returns the bytes of a poll.
    pub fn bytes(&self, poll: Poll<'_>) -> Vec<u8> {
        let values = Values { topic: &self.topic, cursor: &self.cursor, wait: poll.wait };
        let target = self.template.target(values);
        let mut request = Request::get(self.template, &target);
        (request.method, request.fields) = (poll.method, poll.fields.to_vec());
        request.to_bytes_of(poll.version)
    }

    /// Sends a poll, on the connection of the last one if it is still open.
    ///
    /// # Errors
    /// A finding: the server does not accept the connection, or does not read.
    pub fn send(&mut self, trial: &Trial, poll: Poll<'_>) -> Result<(), Finding> {
        let bytes = self.bytes(poll);
        let open = self.connection.take().filter(|connection| connection.ended().is_none());
        let mut connection = match open {
            Some(connection) => connection,
            None => trial.connect(self.template.address)?,
        };
        connection.send(&bytes)?;
        (self.connection, self.method, self.sent) =
            (Some(connection), poll.method.to_owned(), Instant::now());
        Ok(())
    }

    /// Waits until the poll that was sent is held by the server, or answered.
    pub fn wait_until_reached(&mut self, trial: &Trial) -> Result<(), Finding> {
        let until = trial.after(REACHED);
        self.open_connection()?.receive(until).map(drop)
    }

    /// Returns whether bytes of the response to the poll have arrived.
    pub fn is_answered(&mut self) -> bool {
        self.connection.as_mut().is_some_and(|connection| !connection.input().is_empty())
    }

    /// Returns the connection with the poll that was sent.
    ///
    /// # Errors
    /// A finding: there is none.
    pub fn open_connection(&mut self) -> Result<&mut Connection, Finding> {
        self.connection.as_mut().ok_or_else(|| Finding::failed("an open connection", "it is closed"))
    }

    /// Reads the response to the poll that was sent, and takes its cursor.
    ///
    /// # Errors
    /// A finding: the response is not complete before `until`, or has a status of 500 or above.
    pub fn receive(&mut self, trial: &Trial, until: Instant) -> Result<Answer, Finding> {
        let method = self.method.clone();
        let sent = self.sent;
        let connection = self.open_connection()?;
        let mut reader = ResponseReader::new(&method);
        let head = reader.head(connection, until)?;
        reader.all(connection, until.max(trial.after(ARRIVAL)))?;
        let (number, offset) = (connection.number(), connection.consumed());
        let answer = Answer { head, body: reader.content, time: sent.elapsed(), connection: number, offset };
        if answer.head.has_token("Connection", "close") || connection.ended().is_some() {
            self.connection = None;
        }
        if answer.head.status >= 500 {
            let observed = format!("status {}", answer.head.status);
            return Err(answer.failed("a response without a server error", observed));
        }
        let cursor = match &self.place {
            CursorPlace::Header(name) => answer.head.field(name).map(|value| value.trim().to_owned()),
            CursorPlace::Json(_) => self.place.in_body(&answer.body),
        };
        self.cursor = cursor.filter(|cursor| !cursor.is_empty()).unwrap_or_else(|| self.cursor.clone());
        Ok(answer)
    }

    /// Reads the response to the poll that was sent, and waits for the end of the connection.
    ///
    /// # Errors
    /// A finding: the connection stays open.
    pub fn expect_close(&mut self, trial: &Trial) -> Result<&'static str, Finding> {
        let method = self.method.clone();
        let connection = self.open_connection()?;
        let mut reader = ResponseReader::new(&method);
        let until = trial.after(ARRIVAL);
        reader.head(connection, until)?;
        reader.all(connection, until)?;
        match connection.receive(until)? {
            Received::Ended(_) => Ok("closes the connection"),
            Received::Data => Err(Finding::failed("the end of the connection", "more bytes")
                .at(connection.number(), connection.consumed())),
            Received::Quiet => Err(Finding::failed("the end of the connection", "it stays open")),
        }
    }

    /// Sends a poll and reads the response.
    ///
    /// # Errors
    /// As [`send`](Self::send) and [`receive`](Self::receive).
    pub fn poll(&mut self, trial: &Trial, poll: Poll<'_>) -> Result<Answer, Finding> {
        self.send(trial, poll)?;
        let wait = poll.wait.and_then(|wait| wait.parse().ok()).unwrap_or(0);
        self.receive(trial, trial.after(Duration::from_secs(wait) + ARRIVAL))
    }

    /// Polls until a response has the token. Returns the tokens of all responses.
    ///
    /// # Errors
    /// A finding: the event does not arrive in time.
    pub fn collect(
        &mut self,
        trial: &Trial,
        topic: &Topic<'_>,
        wait: Option<&str>,
        token: &str,
    ) -> Result<Vec<String>, Finding> {
        let until = trial.after(ARRIVAL);
        let mut tokens = Vec::new();
        for _ in 0..MAX_POLLS {
            self.send(trial, Poll::held(wait))?;
            let answer = self.receive(trial, until)?;
            tokens.extend(topic.tokens_in(&answer.body));
            if answer.has(token) {
                return Ok(tokens);
            }
            if wait.is_none() && tokens.is_empty() {
                thread::sleep(INTERVAL);
            }
            if Instant::now() >= until {
                let expected = format!("a response with the data {token:?}");
                return Err(answer.failed(expected, "no response has it"));
            }
        }
        Err(Finding::failed(format!("a response with the data {token:?}"), format!("{MAX_POLLS} without it")))
    }
}
