//! Events in JSON, as polls and WebSocket messages have them.

use super::error::Error;
use super::{Event, Notice};
use crate::protocol::json::{JsonError, Reader};

/// Shared for the strings of what is being read. They keep their shared from one to the next.
#[derive(Debug, Default)]
pub(super) struct Texts {
    id: String,
    event: String,
    data: String,
    pub next: String,
    since: String,
    oldest: String,
}

/// What a poll's body holds beside its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub events: u64,
    pub data: u64,
}

/// Reads the body of a poll's answer, and tells what it holds: the gap, if there is one, before all else, then the events.
/// The cursor for the next request stands in `texts.next` then.
///
/// Nothing is told of a body that is wrong anywhere.
pub(super) fn read_body(
    body: &[u8],
    since: &str,
    texts: &mut Texts,
    tell: &mut dyn FnMut(Notice<'_>),
) -> Result<Summary, Error> {
    let mut oldest = None;
    let has_gap = walk(body, texts, &mut |event| {
        oldest.get_or_insert_with(|| event.id.to_owned());
    })?;
    if has_gap {
        tell(Notice::Gap { since, oldest: oldest.as_deref() });
    }
    let mut summary = Summary { events: 0, data: 0 };
    walk(body, texts, &mut |event| {
        summary.events += 1;
        summary.data += event.data.len() as u64;
        tell(Notice::Event(event));
    })?;
    Ok(summary)
}

/// Goes through a poll's body: whether it says that there is a gap.
fn walk(body: &[u8], texts: &mut Texts, event: &mut dyn FnMut(Event<'_>)) -> Result<bool, Error> {
    let mut reader = Reader::new(body)?;
    let (mut has_events, mut has_next, mut has_gap) = (false, false, false);
    reader.object(|name, reader| -> Result<(), Error> {
        match name {
            "events" => {
                has_events = true;
                reader.array(|reader| match read_object(reader, texts)? {
                    Object::Event => {
                        event(texts.event());
                        Ok(())
                    }
                    Object::Hello { .. } => Err(Error::UnexpectedJson),
                })?;
            }
            "next" => {
                has_next = true;
                reader.string(&mut texts.next)?;
            }
            "gap" => has_gap = reader.boolean()?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    reader.end()?;
    if has_events && has_next { Ok(has_gap) } else { Err(Error::UnexpectedJson) }
}

/// What one WebSocket message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// An event.
    Event,
    /// The first message: where the server begins.
    Hello { gap: Option<Oldest> },
}

/// Whether a gap names the oldest event that is kept: there may be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oldest {
    Named,
    None,
}

/// Reads a WebSocket message.
pub(super) fn read_message(text: &str, texts: &mut Texts) -> Result<Object, Error> {
    let mut reader = Reader::new(text.as_bytes())?;
    let object = read_object(&mut reader, texts)?;
    reader.end()?;
    Ok(object)
}

/// Reads the data of an event stream's gap; `None` if it is something else.
pub(super) fn read_gap(data: &str, texts: &mut Texts) -> Option<Oldest> {
    let mut reader = Reader::new(data.as_bytes()).ok()?;
    let oldest = gap(&mut reader, texts).ok()?;
    reader.end().ok()?;
    Some(oldest)
}

fn read_object(reader: &mut Reader<'_>, texts: &mut Texts) -> Result<Object, Error> {
    let (mut has_id, mut has_event, mut has_data) = (false, false, false);
    let (mut has_next, mut has_gap) = (false, None);
    reader.object(|name, reader| -> Result<(), Error> {
        let (seen, text) = match name {
            "id" => (&mut has_id, &mut texts.id),
            "event" => (&mut has_event, &mut texts.event),
            "data" => (&mut has_data, &mut texts.data),
            "next" => (&mut has_next, &mut texts.next),
            "gap" => {
                has_gap = Some(gap(reader, texts)?);
                return Ok(());
            }
            _ => return Ok(reader.skip()?),
        };
        *seen = true;
        Ok(reader.string(text)?)
    })?;
    match (has_id && has_event && has_data, has_next) {
        (true, _) => Ok(Object::Event),
        (false, true) => Ok(Object::Hello { gap: has_gap }),
        (false, false) => Err(Error::UnexpectedJson),
    }
}

/// Reads `{"since":"ID","oldest":"ID"}`, where the oldest may be `null`.
fn gap(reader: &mut Reader<'_>, texts: &mut Texts) -> Result<Oldest, Error> {
    let (mut has_since, mut oldest) = (false, None);
    reader.object(|name, reader| -> Result<(), JsonError> {
        match name {
            "since" => {
                has_since = true;
                reader.string(&mut texts.since)
            }
            "oldest" if reader.null()? => {
                oldest = Some(Oldest::None);
                Ok(())
            }
            "oldest" => {
                oldest = Some(Oldest::Named);
                reader.string(&mut texts.oldest)
            }
            _ => reader.skip(),
        }
    })?;
    oldest.filter(|_| has_since).ok_or(Error::UnexpectedJson)
}

impl Texts {
    /// The event that was read last.
    pub fn event(&self) -> Event<'_> {
        Event { id: &self.id, event: &self.event, data: &self.data }
    }

    /// The gap that was read last.
    pub fn gap(&self, oldest: Oldest) -> Notice<'_> {
        let oldest = match oldest {
            Oldest::Named => Some(&*self.oldest),
            Oldest::None => None,
        };
        Notice::Gap { since: &self.since, oldest }
    }
}
