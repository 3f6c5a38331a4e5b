//! The content of a body: plain data or an event stream.

use super::event_stream::EventStream;
use super::head_fields::HeadFields;
use super::secrets::FormSearch;
use super::splitter::{DATA_SPAN_BYTES, FieldSpec, Splitter};
use crate::protocol::http::fields::trim;

/// The content of a body whose last byte has not arrived.
#[derive(Debug)]
pub(super) enum Content {
    /// Data without a structure. `done` bytes are split since the last point at which the data
    /// began; spans end at multiples of [`DATA_SPAN_BYTES`] after it.
    Plain {
        done: u64,
        /// The search for secrets, if the data is a form.
        form: Option<FormSearch>,
    },
    EventStream(Box<EventStream>),
}

impl Content {
    /// Returns the content that the fields of a head announce.
    pub fn of(head: &HeadFields) -> Self {
        let media_type = head.get("content-type").unwrap_or_default();
        let media_type = trim(media_type.split(|byte| *byte == b';').next().unwrap_or_default());
        let is_coded =
            head.get_all("content-encoding").any(|coding| !coding.eq_ignore_ascii_case(b"identity"));
        if media_type.eq_ignore_ascii_case(b"text/event-stream") && !is_coded {
            Self::EventStream(Box::default())
        } else {
            let is_form = media_type.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") && !is_coded;
            Self::Plain { done: 0, form: is_form.then(FormSearch::default) }
        }
    }

    /// Returns the heap memory in bytes.
    pub fn memory(&self) -> usize {
        match self {
            Self::Plain { form, .. } => form.as_ref().map_or(0, FormSearch::memory),
            Self::EventStream(stream) => stream.memory(),
        }
    }

    pub fn is_event_stream(&self) -> bool {
        matches!(self, Self::EventStream(_))
    }

    /// Splits content, of which `left` bytes precede something else, and returns the number of
    /// bytes that were split.
    pub fn advance(&mut self, splitter: &mut Splitter, left: u64, spec: FieldSpec) -> u64 {
        let start = splitter.offset();
        let is_rest = left <= splitter.rest().len() as u64;
        let available = if is_rest { left as usize } else { splitter.rest().len() };
        let is_last = is_rest || splitter.ended();
        match self {
            Self::EventStream(stream) => stream.advance(splitter, available, is_last),
            Self::Plain { done, form } => {
                let mut available = available;
                while available > 0 {
                    let full = DATA_SPAN_BYTES - (*done % DATA_SPAN_BYTES as u64) as usize;
                    if available < full && !is_last {
                        break;
                    }
                    let length = full.min(available);
                    if let (Some(form), Some(names)) = (&mut *form, splitter.secrets()) {
                        splitter.hide(form.push(&splitter.rest()[..length], names));
                    }
                    splitter.emit(length, spec);
                    available -= length;
                    *done += length as u64;
                }
                splitter.hide([]);
                if is_rest {
                    *done = 0;
                }
            }
        }
        let taken = splitter.offset() - start;
        if splitter.ended()
            && left > taken
            && left != u64::MAX
            && let Some(last) = splitter.last()
        {
            last.cut_off = true;
        }
        taken
    }
}
