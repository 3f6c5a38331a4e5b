//! Where a client starts to follow a topic.

use super::topics::{Hub, TopicKey};
use super::{Id, Log, Sequence};

/// Where a client wants to start following.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Since {
    /// At the oldest event kept.
    Start,
    /// After the newest event.
    Now,
    /// After the event with this id, as the client sent it.
    After(String),
}

impl Since {
    /// Returns the cursor that a client sends: the value of `Last-Event-ID`, else that of the
    /// parameter `since`, else `default`. A cursor that cannot be read is a gap, not an error: its
    /// holder must learn what it has missed.
    pub fn of(last_event_id: Option<&[u8]>, since: Option<&str>, default: Since) -> Since {
        if let Some(line) = last_event_id.filter(|line| !line.is_empty()) {
            return Since::After(String::from_utf8_lossy(line).into_owned());
        }
        match since {
            None | Some("") => default,
            Some("start") => Since::Start,
            Some("now") => Since::Now,
            Some(since) => Since::After(since.to_owned()),
        }
    }

    /// Returns the heap memory of the client's id, in bytes.
    pub fn memory(&self) -> usize {
        match self {
            Since::Start | Since::Now => 0,
            Since::After(id) => id.len(),
        }
    }
}

/// Events after the client's cursor are lost, or the cursor is not one of this log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The cursor that the client sent.
    pub since: String,
    /// The oldest event kept, if there is one.
    pub oldest: Option<Id>,
}

/// Where a client starts following.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placement {
    /// The client receives the events after this sequence.
    pub after: Sequence,
    /// The gap to report to the client first.
    pub gap: Option<Gap>,
}

impl Hub {
    /// Returns where a client starts that wants to follow from `since`. `key` is `None` for a topic
    /// that does not exist.
    pub fn place(&self, key: Option<TopicKey>, since: &Since) -> Placement {
        let log = key.map(|key| &self.topic(key).log);
        let lost_through = log.map_or(self.evicted_through, Log::lost_through);
        let after = match since {
            Since::Start => lost_through,
            Since::Now => log.map_or(self.evicted_through, Log::newest),
            Since::After(text) => match Id::parse(text) {
                Some(id) if id.epoch == self.epoch && (lost_through..=self.newest).contains(&id.sequence) => {
                    id.sequence
                }
                _ => {
                    let oldest = log.and_then(Log::oldest).map(|sequence| self.id(sequence));
                    let gap = Gap { since: text.clone(), oldest };
                    return Placement { after: lost_through, gap: Some(gap) };
                }
            },
        };
        Placement { after, gap: None }
    }
}
