//! A case: what it requires, the set of outcomes that it allows, and how it is played.

use std::borrow::Cow;
use std::fmt;

pub use super::suite::{Endpoint, Endpoints, Suite};
use super::trial::{Finding, Trial};
use crate::protocol::rule::{Rule, Section};

/// The number of a case, such as `websocket/5.12`. A number never changes, and the number of a
/// deleted case is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number {
    pub suite: Suite,
    pub section: u16,
    pub index: u16,
}

impl Number {
    /// Parses a number in the form in which it is displayed.
    pub fn parse(text: &str) -> Option<Self> {
        let (suite, rest) = text.split_once('/')?;
        let (section, index) = rest.split_once('.')?;
        let number =
            Self { suite: Suite::named(suite)?, section: section.parse().ok()?, index: index.parse().ok()? };
        // A number has one form: `websocket/01.+1` is none.
        (number.to_string() == text).then_some(number)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}.{}", self.suite.name(), self.section, self.index))
    }
}

/// The requirement level of a sentence (RFC 2119).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Must,
    Should,
    May,
}

impl Level {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        }
    }
}

/// A sentence of a specification in our words, with its section and its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement {
    pub level: Level,
    pub rule: Rule,
}

impl Requirement {
    /// Returns an absolute requirement of an RFC.
    pub const fn must(rfc: u16, paragraph: &'static str, sentence: &'static str) -> Self {
        Self { level: Level::Must, rule: Rule::rfc(rfc, paragraph, sentence) }
    }

    /// Returns a recommendation of an RFC.
    pub const fn should(rfc: u16, paragraph: &'static str, sentence: &'static str) -> Self {
        Self { level: Level::Should, rule: Rule::rfc(rfc, paragraph, sentence) }
    }

    /// Returns an option that an RFC leaves open.
    pub const fn may(rfc: u16, paragraph: &'static str, sentence: &'static str) -> Self {
        Self { level: Level::May, rule: Rule::rfc(rfc, paragraph, sentence) }
    }

    /// Returns an option that the HTML Standard leaves open.
    pub const fn html_may(paragraph: &'static str, sentence: &'static str) -> Self {
        Self { level: Level::May, rule: Rule { sentence, section: Section::html(paragraph) } }
    }

    /// Returns an absolute requirement of the HTML Standard.
    pub const fn html(paragraph: &'static str, sentence: &'static str) -> Self {
        Self { level: Level::Must, rule: Rule { sentence, section: Section::html(paragraph) } }
    }
}

/// The verdict on an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The recommended behavior.
    Pass,
    /// Another behavior that the specification allows.
    Allowed,
    /// The specification has no rule; the outcome is reported for the reader.
    Informational,
    /// The endpoint lacks what the case is about, such as an extension.
    NotApplicable,
    /// The specification forbids this behavior.
    Fail,
}

impl Verdict {
    pub const ALL: [Self; 5] =
        [Self::Pass, Self::Allowed, Self::Informational, Self::NotApplicable, Self::Fail];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Allowed => "allowed",
            Self::Informational => "informational",
            Self::NotApplicable => "not applicable",
            Self::Fail => "fail",
        }
    }
}

/// An outcome that a case distinguishes: its name and the verdict on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub name: &'static str,
    pub verdict: Verdict,
}

/// Returns the outcome of the recommended behavior.
pub const fn pass(name: &'static str) -> Outcome {
    Outcome { name, verdict: Verdict::Pass }
}

/// Returns an outcome that the specification allows.
pub const fn allowed(name: &'static str) -> Outcome {
    Outcome { name, verdict: Verdict::Allowed }
}

/// Returns an outcome that is reported without a verdict.
pub const fn informational(name: &'static str) -> Outcome {
    Outcome { name, verdict: Verdict::Informational }
}

/// Plays a case and returns the name of the outcome, which is one of the case's outcomes.
///
/// Every other behavior of the endpoint is a [`Finding`].
pub type Play = Box<dyn Fn(&mut Trial) -> Result<&'static str, Finding> + Send + Sync>;

/// One case.
pub struct Case {
    pub number: Number,
    /// The title of the section.
    pub section: &'static str,
    pub title: Cow<'static, str>,
    pub requirement: Requirement,
    pub endpoints: Endpoints,
    /// The number of the same case in the Autobahn TestSuite.
    pub autobahn: Option<Cow<'static, str>>,
    /// Whether the case takes long, so that only `--full` includes it.
    pub is_long: bool,
    /// The outcomes that are not failures.
    pub outcomes: Vec<Outcome>,
    pub play: Play,
}

impl Case {
    /// Sets the number of the same case in the Autobahn TestSuite.
    pub fn autobahn(&mut self, number: impl Into<Cow<'static, str>>) -> &mut Self {
        self.autobahn = Some(number.into());
        self
    }

    /// Restricts the case to servers.
    pub fn server_only(&mut self) -> &mut Self {
        self.endpoints = Endpoints::Server;
        self
    }

    /// Restricts the case to clients.
    pub fn client_only(&mut self) -> &mut Self {
        self.endpoints = Endpoints::Client;
        self
    }

    /// Excludes the case unless `--full` is given.
    pub fn long(&mut self) -> &mut Self {
        self.is_long = true;
        self
    }

    /// Returns the verdict on the outcome of this name. An outcome that the case does not list is
    /// a failure.
    pub fn verdict(&self, outcome: &str) -> Verdict {
        let found = self.outcomes.iter().find(|known| known.name == outcome);
        found.map_or(Verdict::Fail, |known| known.verdict)
    }
}

/// Collects the cases of one section of a suite.
pub struct Cases {
    suite: Suite,
    section: u16,
    title: &'static str,
    cases: Vec<Case>,
}

impl Cases {
    /// Starts a section. `title` says what its cases are about.
    pub fn of(suite: Suite, section: u16, title: &'static str) -> Self {
        Self { suite, section, title, cases: Vec::new() }
    }

    /// Adds a case for both kinds of endpoints.
    pub fn add(
        &mut self,
        index: u16,
        title: impl Into<Cow<'static, str>>,
        requirement: Requirement,
        outcomes: &[Outcome],
        play: impl Fn(&mut Trial) -> Result<&'static str, Finding> + Send + Sync + 'static,
    ) -> &mut Case {
        let number = Number { suite: self.suite, section: self.section, index };
        self.cases.push(Case {
            number,
            section: self.title,
            title: title.into(),
            requirement,
            endpoints: Endpoints::Both,
            autobahn: None,
            is_long: false,
            outcomes: outcomes.to_vec(),
            play: Box::new(play),
        });
        self.cases.last_mut().expect("a case was just added")
    }

    /// Returns the cases.
    pub fn into_vec(self) -> Vec<Case> {
        self.cases
    }
}
