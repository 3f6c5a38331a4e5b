//! The topic of one case: its name, its tokens, and how its events are published.
//!
//! A *token* is text that no other event contains. A case finds its events by their tokens, so it
//! does not depend on the format in which the server delivers them, and it is not confused by the
//! events of other cases if all share one topic.

use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::connection::Connection;
use super::exchange::{Request, ResponseReader};
use super::target::{ServerTarget, Values};
use super::trial::{Finding, Trial};

/// The time in which a published event must arrive. A server needs milliseconds; the rest is for a
/// busy machine.
pub const ARRIVAL: Duration = Duration::from_secs(2);

/// The time that a publish may take.
const PUBLISH: Duration = Duration::from_secs(5);

/// The digits of a token behind the name of its topic.
const DIGITS: usize = 5;

/// The number of topics so far in this process.
static TOPICS: AtomicU64 = AtomicU64::new(0);

/// The topic of one case.
pub struct Topic<'t> {
    server: &'t ServerTarget,
    name: String,
    tokens: u64,
    connection: Option<Connection>,
}

impl<'t> Topic<'t> {
    /// Returns a topic that no other case uses, if the server has several.
    ///
    /// # Errors
    /// The case is not applicable: the endpoint is a client.
    pub fn new(trial: &Trial<'t>) -> Result<Self, Finding> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let number = TOPICS.fetch_add(1, Ordering::Relaxed);
        let name = format!("c{:x}x{:x}x{number:x}", now.as_millis(), process::id());
        Ok(Self { server: trial.server()?, name, tokens: 0, connection: None })
    }

    pub fn server(&self) -> &'t ServerTarget {
        self.server
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the next token.
    pub fn token(&mut self) -> String {
        self.tokens += 1;
        format!("{}x{:0DIGITS$}", self.name, self.tokens)
    }

    /// Returns this many tokens.
    pub fn tokens(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.token()).collect()
    }

    /// Returns the tokens of this topic in a text, in their order.
    pub fn tokens_in(&self, text: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(text);
        let start = format!("{}x", self.name);
        let tokens = text.match_indices(&start).filter_map(|(at, _)| text.get(at..at + start.len() + DIGITS));
        tokens.map(str::to_owned).collect()
    }

    /// Compares received tokens with the expected ones.
    ///
    /// # Errors
    /// What is wrong: tokens that are lost, repeated, unexpected, or in another order.
    pub fn compare(&self, expected: &[String], received: &[String]) -> Result<(), String> {
        if expected == received {
            return Ok(());
        }
        let short = |tokens: Vec<&String>| {
            // The name of the topic is the same in all of them.
            let short = tokens.iter().take(5).map(|token| token.get(self.name.len() + 1..).unwrap_or(token));
            let more = if tokens.len() > 5 { ", …" } else { "" };
            format!("{}{more}", short.collect::<Vec<_>>().join(", "))
        };
        let lost: Vec<_> = expected.iter().filter(|token| !received.contains(token)).collect();
        let others: Vec<_> = received.iter().filter(|token| !expected.contains(token)).collect();
        let repeated = received.iter().enumerate().filter(|(at, token)| received[..*at].contains(token));
        let repeated: Vec<_> = repeated.map(|(_, token)| token).collect();
        let problems = [(lost, "lost"), (repeated, "repeated"), (others, "not expected")];
        let problems = problems.into_iter().filter(|(tokens, _)| !tokens.is_empty());
        let problems: Vec<_> =
            problems.map(|(tokens, what)| format!("{} {what}: {}", tokens.len(), short(tokens))).collect();
        Err(if problems.is_empty() { "another order".to_owned() } else { problems.join("; ") })
    }

    /// Publishes a new token and returns it.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn publish_token(&mut self, trial: &Trial) -> Result<String, Finding> {
        let token = self.token();
        self.publish(trial, token.as_bytes())?;
        Ok(token)
    }

    /// Publishes data.
    ///
    /// # Errors
    /// A finding: the server does not accept it, or the events of the server cannot be published.
    pub fn publish(&mut self, trial: &Trial, data: &[u8]) -> Result<(), Finding> {
        match self.offer(trial, data)? {
            200..=299 => Ok(()),
            status => Err(Finding::failed("a publish that is accepted", format!("status {status}"))),
        }
    }

    /// Publishes data that the server may refuse. Returns the status of the response.
    ///
    /// # Errors
    /// A finding: the server does not respond, or its events cannot be published.
    pub fn offer(&mut self, trial: &Trial, data: &[u8]) -> Result<u16, Finding> {
        let publish = self.server.publish.as_ref();
        let publish = publish.ok_or_else(|| Finding::NotApplicable("--publish is not given".into()))?;
        let target = publish.to.target(Values { topic: &self.name, ..Values::default() });
        let request = Request {
            method: &publish.method,
            target: &target,
            authority: &publish.to.authority,
            fields: vec![("Content-Type", "text/plain;charset=utf-8")],
            content: Some(data),
        };
        let mut connection = match self.connection.take().filter(|connection| connection.ended().is_none()) {
            Some(connection) => connection,
            None => trial.connect(publish.to.address)?,
        };
        connection.send(&request.to_bytes())?;
        let mut reader = ResponseReader::new(request.method);
        let until = trial.after(PUBLISH);
        let head = reader.head(&mut connection, until)?;
        reader.all(&mut connection, until)?;
        if !head.has_token("Connection", "close") {
            self.connection = Some(connection);
        }
        Ok(head.status)
    }
}
