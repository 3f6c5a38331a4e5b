//! A topic's log: the queue of segments that all its followers read from, each at its own cursor.
//!
//! A segment is a short stretch of events together with their encodings. Each encoding is made
//! once, for all followers that need it, when the first of them needs it.

use std::collections::VecDeque;

use super::{Epoch, Id, Sequence, Tick};

/// A segment accepts no further event beyond this many bytes of names and data.
const SEGMENT_BYTES: usize = 64 * 1024;
/// A segment accepts no further event beyond this many.
const SEGMENT_EVENTS: usize = 256;

/// The number of encodings that a segment has room for. The hub does not know what they are.
pub const ENCODINGS: usize = 9;

/// Appends an event's bytes in one encoding; the second argument is [`Encoders::parameter`].
///
/// The function appends at least one byte, and the same bytes for the same event every time: an
/// encoded buffer may be dropped and made again while a follower is in the middle of it.
pub type Encode = fn(&Event<'_>, usize, &mut Vec<u8>);

/// How events become bytes, provided by the layer above: one function per encoding.
#[derive(Clone, Copy)]
pub struct Encoders {
    /// The functions, indexed by encoding.
    pub functions: [Encode; ENCODINGS],
    /// A number that the hub passes to each function unchanged.
    pub parameter: usize,
    /// The work per byte of data in each encoding; see [`Hub::take_work`](super::Hub::take_work).
    pub work: [u32; ENCODINGS],
}

/// An event as the log keeps it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The id.
    pub id: Id,
    /// The name; `message` if the publisher gave none.
    pub name: &'a str,
    /// The data, free of carriage returns.
    pub data: &'a str,
}

/// The events of one segment in one encoding, end to end.
#[derive(Default)]
pub struct EncodedBuffer {
    bytes: Vec<u8>,
    /// The offset in `bytes` at which each event ends.
    ends: Vec<u32>,
    /// The tick in which the buffer was last used.
    last_used: Tick,
    /// The number of its last use, of all uses of the hub's buffers.
    use_number: u64,
}

impl EncodedBuffer {
    /// Returns the encoded events.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the offset at which the first `events` events end.
    pub fn end_of(&self, events: usize) -> usize {
        events.checked_sub(1).map_or(0, |last| self.ends[last] as usize)
    }

    /// Returns where the event that contains `offset` ends; `offset` itself if that is between two
    /// events.
    pub fn event_end(&self, offset: usize) -> usize {
        let ended = self.ends.partition_point(|end| (*end as usize) < offset);
        if offset == 0 { 0 } else { self.ends.get(ended).map_or(offset, |end| *end as usize) }
    }

    /// Returns how many events from the event `first` on fit in `budget` bytes, at least one.
    pub fn fitting(&self, first: usize, budget: usize) -> usize {
        let start = self.end_of(first);
        let fits = self.ends[first..].partition_point(|end| *end as usize - start <= budget);
        fits.max(1)
    }

    fn memory(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()
    }
}

/// A use of encoded buffers.
#[derive(Clone, Copy)]
pub(super) struct Use {
    pub tick: Tick,
    /// The number of this use, of all uses of the hub's buffers.
    pub number: u64,
}

/// What [`Segment::encode`] has done.
pub(super) struct Encoded {
    /// The bytes of the buffer.
    pub bytes: usize,
    /// The growth of its memory, in bytes.
    pub grown: usize,
    /// The work of encoding.
    pub work: u64,
    /// The buffer did not exist before.
    pub is_new: bool,
}

/// The place of an event's name and data in [`Segment::text`].
struct Entry {
    sequence: Sequence,
    name_end: u32,
    data_end: u32,
}

/// At most 256 events and 64 KiB of names and data, or one larger event; and their encodings.
#[derive(Default)]
pub struct Segment {
    entries: Vec<Entry>,
    /// Name and data of every event, end to end.
    text: String,
    /// The time of the newest event.
    newest_at: Tick,
    encoded: [Option<Box<EncodedBuffer>>; ENCODINGS],
}

impl Segment {
    /// Releases the memory reserved for growth: no event will be added.
    fn close(&mut self) {
        self.entries.shrink_to_fit();
        self.text.shrink_to_fit();
        for buffer in self.encoded.iter_mut().flatten() {
            buffer.bytes.shrink_to_fit();
            buffer.ends.shrink_to_fit();
        }
    }

    /// Returns the number of events.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn newest_at(&self) -> Tick {
        self.newest_at
    }

    fn first_sequence(&self) -> Sequence {
        self.entries.first().map_or(0, |entry| entry.sequence)
    }

    pub(super) fn last_sequence(&self) -> Sequence {
        self.entries.last().map_or(0, |entry| entry.sequence)
    }

    /// Returns the sequence of the event at `index`.
    pub fn sequence(&self, index: usize) -> Sequence {
        self.entries[index].sequence
    }

    /// Returns the index of the first event after `sequence`.
    fn first_after(&self, sequence: Sequence) -> usize {
        self.entries.partition_point(|entry| entry.sequence <= sequence)
    }

    fn event(&self, index: usize, epoch: Epoch) -> Event<'_> {
        let start = index.checked_sub(1).map_or(0, |before| self.entries[before].data_end as usize);
        let entry = &self.entries[index];
        let (name_end, data_end) = (entry.name_end as usize, entry.data_end as usize);
        Event {
            id: Id { epoch, sequence: entry.sequence },
            name: &self.text[start..name_end],
            data: &self.text[name_end..data_end],
        }
    }

    /// Encodes the events that the buffer of `encoding` does not hold yet.
    pub(super) fn encode(&mut self, encoding: usize, with: &Encoders, epoch: Epoch, used: Use) -> Encoded {
        let found = self.encoded[encoding].take();
        let is_new = found.is_none();
        let mut buffer = found.unwrap_or_default();
        let (before, written) = (buffer.memory(), buffer.bytes.len());
        let mut data = 0;
        for index in buffer.ends.len()..self.entries.len() {
            let event = self.event(index, epoch);
            with.functions[encoding](&event, with.parameter, &mut buffer.bytes);
            buffer.ends.push(buffer.bytes.len() as u32);
            data += event.data.len() as u64;
        }
        (buffer.last_used, buffer.use_number) = (used.tick, used.number);
        let encoded = Encoded {
            bytes: buffer.bytes.len(),
            grown: buffer.memory() - before,
            work: data * u64::from(with.work[encoding]) + (buffer.bytes.len() - written) as u64,
            is_new,
        };
        self.encoded[encoding] = Some(buffer);
        encoded
    }

    /// Returns the buffer of an encoding, if it has been made.
    pub fn encoded(&self, encoding: usize) -> Option<&EncodedBuffer> {
        self.encoded[encoding].as_deref()
    }

    /// Returns whether the buffer of an encoding holds every event of the segment.
    pub(crate) fn is_encoded(&self, encoding: usize) -> bool {
        self.encoded(encoding).is_some_and(|buffer| buffer.ends.len() == self.entries.len())
    }

    /// Returns the memory of all encoded buffers, in bytes.
    pub(super) fn encoded_memory(&self) -> usize {
        self.encoded.iter().flatten().map(|buffer| buffer.memory()).sum()
    }

    /// Returns the memory of the events, in bytes, without their encodings.
    pub(super) fn event_memory(&self) -> usize {
        self.text.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Drops the encoded buffers that were last used before `limit`.
    pub(super) fn drop_encoded_before(&mut self, limit: Tick) {
        for buffer in &mut self.encoded {
            buffer.take_if(|buffer| buffer.last_used < limit);
        }
    }

    /// Drops all encoded buffers.
    pub(super) fn drop_encoded(&mut self) {
        self.encoded = Default::default();
    }

    /// Returns the number of the last use of an encoded buffer.
    pub(super) fn use_number(&self, encoding: usize) -> Option<u64> {
        self.encoded(encoding).map(|buffer| buffer.use_number)
    }

    /// Drops an encoded buffer, and returns its memory in bytes.
    pub(super) fn drop_buffer(&mut self, encoding: usize) -> usize {
        self.encoded[encoding].take().map_or(0, |buffer| buffer.memory())
    }
}

/// The retained window of a topic's events.
pub struct Log {
    segments: VecDeque<Segment>,
    /// The number of `segments[0]`; numbers count up over the life of the log.
    first: u32,
    events: usize,
    /// The most events in one segment.
    segment_events: usize,
    lost_through: Sequence,
    newest: Sequence,
}

/// The change of a log's memory by an append, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Growth {
    /// Added to the events.
    pub events: usize,
    /// Released from the encoded buffers of the segment that the append has closed.
    pub released: usize,
}

impl Log {
    /// Creates an empty log whose first event comes after `lost_through`. `window_events` is the
    /// size of the window.
    pub(super) fn new(lost_through: Sequence, window_events: usize) -> Log {
        Log {
            segments: VecDeque::new(),
            first: 0,
            events: 0,
            // Whole segments are dropped, so a small window needs small segments to be accurate.
            segment_events: (window_events / 4).clamp(1, SEGMENT_EVENTS),
            lost_through,
            newest: lost_through,
        }
    }

    /// Returns the last sequence that the log no longer keeps.
    pub fn lost_through(&self) -> Sequence {
        self.lost_through
    }

    /// Returns the newest event's sequence; [`Log::lost_through`] if the log is empty.
    pub fn newest(&self) -> Sequence {
        self.newest
    }

    /// Returns the memory of the events, in bytes, without their encodings.
    pub(super) fn event_memory(&self) -> usize {
        self.segments.iter().map(Segment::event_memory).sum()
    }

    /// Returns the oldest kept event's sequence.
    pub(super) fn oldest(&self) -> Option<Sequence> {
        self.segments.front().map(Segment::first_sequence)
    }

    /// Returns the number of events kept.
    pub(crate) fn len(&self) -> usize {
        self.events
    }

    /// Returns the number of the oldest segment kept.
    pub fn first_segment(&self) -> u32 {
        self.first
    }

    /// Returns the number of the newest segment, which the next event joins if it has room. In an
    /// empty log: the number that its first segment will have.
    pub fn open_segment(&self) -> u32 {
        self.first + (self.segments.len() as u32).saturating_sub(1)
    }

    /// Returns the segment with a number, if it is kept.
    pub fn segment(&self, number: u32) -> Option<&Segment> {
        self.segments.get(number.checked_sub(self.first)? as usize)
    }

    pub(super) fn segment_mut(&mut self, number: u32) -> Option<&mut Segment> {
        self.segments.get_mut(number.checked_sub(self.first)? as usize)
    }

    /// Returns the segments from the number `from` on, with their numbers.
    pub fn segments_from(&self, from: u32) -> impl Iterator<Item = (u32, &Segment)> {
        let skip = from.saturating_sub(self.first);
        (self.first + skip..).zip(self.segments.iter().skip(skip as usize))
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter()
    }

    pub(super) fn segments_mut(&mut self) -> impl Iterator<Item = &mut Segment> {
        self.segments.iter_mut()
    }

    /// Returns the place of the first event after `sequence`: the segment's number, and the event's
    /// index in it. If there is no such event, the place is the end of the open segment.
    pub fn first_after(&self, sequence: Sequence) -> (u32, usize) {
        let earlier = self.segments.partition_point(|segment| segment.last_sequence() <= sequence);
        match self.segments.get(earlier) {
            Some(segment) => (self.first + earlier as u32, segment.first_after(sequence)),
            None => (self.open_segment(), self.segments.back().map_or(0, Segment::len)),
        }
    }

    /// Appends an event to the open segment, or to a new one if the open segment has no room.
    pub(super) fn append(&mut self, sequence: Sequence, name: &str, data: &str, now: Tick) -> Growth {
        let mut released = 0;
        let has_room = self.segments.back().is_some_and(|open| {
            open.len() < self.segment_events && open.text.len() + name.len() + data.len() <= SEGMENT_BYTES
        });
        if !has_room {
            if let Some(full) = self.segments.back_mut() {
                let before = full.encoded_memory();
                full.close();
                released = before - full.encoded_memory();
            }
            self.segments.push_back(Segment::default());
        }
        let open = self.segments.back_mut().expect("a missing segment was pushed just now");
        let before = open.event_memory();
        open.text.push_str(name);
        let name_end = open.text.len() as u32;
        open.text.push_str(data);
        open.entries.push(Entry { sequence, name_end, data_end: open.text.len() as u32 });
        open.newest_at = now;
        self.events += 1;
        self.newest = sequence;
        Growth { events: open.event_memory() - before, released }
    }

    /// Removes the oldest segment, if its number is below `floor`.
    pub(super) fn drop_oldest(&mut self, floor: u32) -> Option<(u32, Segment)> {
        if self.first >= floor {
            return None;
        }
        let segment = self.segments.pop_front()?;
        let number = self.first;
        self.first += 1;
        self.events -= segment.len();
        self.lost_through = segment.last_sequence();
        Some((number, segment))
    }

    pub(super) fn oldest_segment(&self) -> Option<&Segment> {
        self.segments.front()
    }
}

#[cfg(test)]
mod tests;
