//! Events in JSON: the bodies of poll responses and the messages of a WebSocket.

use super::error::Error;
use super::{Event, Notice, ResponseLimits, check_event};
use crate::client::json::{JsonError, Reader};

/// Reusable buffers for the strings of the object being parsed.
#[derive(Debug, Default)]
pub(super) struct JsonBuffers {
    id: String,
    event: String,
    data: String,
    pub next: String,
    since: String,
    oldest: String,
}

/// Counters for the body of one poll response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub events: u64,
    pub data: u64,
}

/// Parses the body of a poll response and reports its gap, if it has one, and then its events.
///
/// Afterwards `buffers.next` holds the cursor for the next request. A body with an error anywhere
/// produces no notices.
pub(super) fn read_body(
    body: &[u8],
    since: &str,
    limits: &ResponseLimits,
    buffers: &mut JsonBuffers,
    notify: &mut dyn FnMut(Notice<'_>),
) -> Result<Summary, Error> {
    let mut oldest = None;
    let has_gap = walk(body, buffers, &mut |event| {
        oldest.get_or_insert_with(|| event.id.to_owned());
        check_event(&event, limits)
    })?;
    if has_gap {
        notify(Notice::Gap { since, oldest: oldest.as_deref() });
    }
    let mut summary = Summary { events: 0, data: 0 };
    walk(body, buffers, &mut |event| {
        summary.events += 1;
        summary.data += event.data.len() as u64;
        notify(Notice::Event(event));
        Ok(())
    })?;
    Ok(summary)
}

/// Parses the body of a poll response, calls `event` for each event, and returns whether there is a
/// gap.
///
/// # Errors
/// The body is invalid, or `event` returns an error.
fn walk(
    body: &[u8],
    buffers: &mut JsonBuffers,
    event: &mut dyn FnMut(Event<'_>) -> Result<(), Error>,
) -> Result<bool, Error> {
    let mut reader = Reader::new(body)?;
    let (mut has_events, mut has_next, mut has_gap) = (false, false, false);
    reader.object(|name, reader| -> Result<(), Error> {
        match name {
            "events" => {
                has_events = true;
                reader.array(|reader| match read_object(reader, buffers)? {
                    Object::Event => event(buffers.event()),
                    Object::Hello { .. } => Err(Error::UnexpectedJson),
                })?;
            }
            "next" => {
                has_next = true;
                reader.string(&mut buffers.next)?;
            }
            "gap" => has_gap = reader.boolean()?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    reader.end()?;
    if has_events && has_next { Ok(has_gap) } else { Err(Error::UnexpectedJson) }
}

/// The kind of a JSON object that was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// An event.
    Event,
    /// The first message of a WebSocket: the position where the server starts.
    Hello { gap: Option<Oldest> },
}

/// Whether a gap names the oldest kept event. The server may keep none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oldest {
    Named,
    None,
}

/// Parses a WebSocket message.
pub(super) fn read_message(text: &str, buffers: &mut JsonBuffers) -> Result<Object, Error> {
    let mut reader = Reader::new(text.as_bytes())?;
    let object = read_object(&mut reader, buffers)?;
    reader.end()?;
    Ok(object)
}

/// Parses the data of a `gap` event; `None` if the data is not a gap.
pub(super) fn read_gap(data: &str, buffers: &mut JsonBuffers) -> Option<Oldest> {
    let mut reader = Reader::new(data.as_bytes()).ok()?;
    let oldest = gap(&mut reader, buffers).ok()?;
    reader.end().ok()?;
    Some(oldest)
}

fn read_object(reader: &mut Reader<'_>, buffers: &mut JsonBuffers) -> Result<Object, Error> {
    let (mut has_id, mut has_event, mut has_data) = (false, false, false);
    let (mut has_next, mut has_gap) = (false, None);
    reader.object(|name, reader| -> Result<(), Error> {
        let (is_present, text) = match name {
            "id" => (&mut has_id, &mut buffers.id),
            "event" => (&mut has_event, &mut buffers.event),
            "data" => (&mut has_data, &mut buffers.data),
            "next" => (&mut has_next, &mut buffers.next),
            "gap" => {
                has_gap = Some(gap(reader, buffers)?);
                return Ok(());
            }
            _ => return Ok(reader.skip()?),
        };
        *is_present = true;
        Ok(reader.string(text)?)
    })?;
    match (has_id && has_event && has_data, has_next) {
        (true, _) => Ok(Object::Event),
        (false, true) => Ok(Object::Hello { gap: has_gap }),
        (false, false) => Err(Error::UnexpectedJson),
    }
}

/// Parses `{"since":"ID","oldest":"ID"}`; the value of `oldest` may be `null`.
fn gap(reader: &mut Reader<'_>, buffers: &mut JsonBuffers) -> Result<Oldest, Error> {
    let (mut has_since, mut oldest) = (false, None);
    reader.object(|name, reader| -> Result<(), JsonError> {
        match name {
            "since" => {
                has_since = true;
                reader.string(&mut buffers.since)
            }
            "oldest" if reader.null()? => {
                oldest = Some(Oldest::None);
                Ok(())
            }
            "oldest" => {
                oldest = Some(Oldest::Named);
                reader.string(&mut buffers.oldest)
            }
            _ => reader.skip(),
        }
    })?;
    oldest.filter(|_| has_since).ok_or(Error::UnexpectedJson)
}

impl JsonBuffers {
    /// Returns the event that was parsed last.
    pub fn event(&self) -> Event<'_> {
        Event { id: &self.id, event: &self.event, data: &self.data }
    }

    /// Returns the gap that was parsed last.
    pub fn gap(&self, oldest: Oldest) -> Notice<'_> {
        let oldest = match oldest {
            Oldest::Named => Some(&*self.oldest),
            Oldest::None => None,
        };
        Notice::Gap { since: &self.since, oldest }
    }
}
