//! A segment: a short run of a topic's events, and their encodings, each made once for all followers.

use super::{Epoch, Id, Sequence, Tick};

/// How many encodings a segment has room for. What they are the hub does not know.
pub const ENCODINGS: usize = 9;

/// One event as it stands in the log.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Its id.
    pub id: Id,
    /// Its name, `message` if none was given.
    pub name: &'a str,
    /// Its data, free of carriage returns.
    pub data: &'a str,
}

/// A way to write an event as bytes, from the layer above: a number below [`ENCODINGS`] and the
/// function. The function must write the same bytes for the same event always: a run may be dropped
/// and made anew while a follower stands in the middle of it.
#[derive(Clone, Copy)]
pub struct Encoder {
    /// Which of the segment's runs it fills.
    pub slot: usize,
    /// Handed to the function, the same always.
    pub parameter: usize,
    /// Appends the event's encoding. What it appends is never empty.
    pub encode: fn(&Event<'_>, usize, &mut Vec<u8>),
}

/// The events of one segment in one encoding, end to end.
#[derive(Default)]
pub struct Run {
    bytes: Vec<u8>,
    /// Where each event ends in `bytes`.
    ends: Vec<u32>,
    used: Tick,
}

impl Run {
    /// The encoded events.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives the bytes away, to be shared by those who still have to write some of them.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Where the first `events` events end.
    pub fn end_of(&self, events: usize) -> usize {
        events.checked_sub(1).map_or(0, |last| self.ends[last] as usize)
    }

    /// Where the event ends in the middle of which `offset` stands; `offset` itself between two events.
    pub fn event_end(&self, offset: usize) -> usize {
        let ended = self.ends.partition_point(|end| (*end as usize) < offset);
        if offset == 0 { 0 } else { self.ends.get(ended).map_or(offset, |end| *end as usize) }
    }

    /// How many events from the event `first` on fit in `budget` bytes, and at least one.
    pub fn fitting(&self, first: usize, budget: usize) -> usize {
        let start = self.end_of(first);
        let fits = self.ends[first..].partition_point(|end| *end as usize - start <= budget);
        fits.max(1)
    }

    fn weight(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()
    }
}

struct Entry {
    sequence: Sequence,
    name_end: u32,
    data_end: u32,
}

/// Up to 256 events or 64 KiB of names and data; an event is never cut.
pub struct Segment {
    entries: Vec<Entry>,
    /// Name and data of every event, end to end.
    text: String,
    newest_at: Tick,
    runs: [Option<Box<Run>>; ENCODINGS],
}

impl Segment {
    pub(super) fn new() -> Segment {
        Segment {
            entries: Vec::new(),
            text: String::new(),
            newest_at: Tick::default(),
            runs: Default::default(),
        }
    }

    pub(super) fn push(&mut self, sequence: Sequence, name: &str, data: &str, now: Tick) {
        self.text.push_str(name);
        let name_end = self.text.len() as u32;
        self.text.push_str(data);
        self.entries.push(Entry { sequence, name_end, data_end: self.text.len() as u32 });
        self.newest_at = now;
    }

    /// Nothing will be added: what was set aside for growth is given back.
    pub(super) fn close(&mut self) {
        self.entries.shrink_to_fit();
        self.text.shrink_to_fit();
        for run in self.runs.iter_mut().flatten() {
            run.bytes.shrink_to_fit();
            run.ends.shrink_to_fit();
        }
    }

    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn text_bytes(&self) -> usize {
        self.text.len()
    }

    pub(super) fn newest_at(&self) -> Tick {
        self.newest_at
    }

    pub(super) fn first_sequence(&self) -> Sequence {
        self.entries.first().map_or(0, |entry| entry.sequence)
    }

    pub(super) fn last_sequence(&self) -> Sequence {
        self.entries.last().map_or(0, |entry| entry.sequence)
    }

    /// The sequence of the event with this number in the segment.
    pub fn sequence(&self, event: usize) -> Sequence {
        self.entries[event].sequence
    }

    /// The first event after `sequence`, as its number in the segment.
    pub(super) fn first_after(&self, sequence: Sequence) -> usize {
        self.entries.partition_point(|entry| entry.sequence <= sequence)
    }

    /// The event with this number in the segment.
    pub fn event(&self, number: usize, epoch: Epoch) -> Event<'_> {
        let start = number.checked_sub(1).map_or(0, |before| self.entries[before].data_end as usize);
        let entry = &self.entries[number];
        let (name_end, data_end) = (entry.name_end as usize, entry.data_end as usize);
        Event {
            id: Id { epoch, sequence: entry.sequence },
            name: &self.text[start..name_end],
            data: &self.text[name_end..data_end],
        }
    }

    /// Brings the run of `encoder` up to the newest event, making it if there is none. Returns by how many
    /// bytes the segment's runs have grown.
    pub(super) fn encode(&mut self, encoder: Encoder, epoch: Epoch, now: Tick) -> usize {
        let mut run = self.runs[encoder.slot].take().unwrap_or_default();
        let before = run.weight();
        for number in run.ends.len()..self.entries.len() {
            (encoder.encode)(&self.event(number, epoch), encoder.parameter, &mut run.bytes);
            run.ends.push(run.bytes.len() as u32);
        }
        run.used = now;
        let grown = run.weight() - before;
        self.runs[encoder.slot] = Some(run);
        grown
    }

    /// The run in the encoding's slot, if it is made.
    pub fn run(&self, slot: usize) -> Option<&Run> {
        self.runs[slot].as_deref()
    }

    /// Whether the run in the encoding's slot holds every event of the segment.
    pub(super) fn is_encoded(&self, slot: usize) -> bool {
        self.run(slot).is_some_and(|run| run.ends.len() == self.entries.len())
    }

    /// Takes the run out, as far as it is made.
    pub fn take_run(&mut self, slot: usize) -> Option<Run> {
        self.runs[slot].take().map(|run| *run)
    }

    /// What its runs hold, in bytes.
    pub(super) fn run_weight(&self) -> usize {
        self.runs.iter().flatten().map(|run| run.weight()).sum()
    }

    /// What its events hold, in bytes.
    pub(super) fn log_weight(&self) -> usize {
        self.text.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Drops the runs that were last used before `limit`.
    pub(super) fn drop_runs_before(&mut self, limit: Tick) {
        for run in &mut self.runs {
            if run.as_ref().is_some_and(|run| run.used < limit) {
                *run = None;
            }
        }
    }

    pub(super) fn runs_used(&self) -> impl Iterator<Item = Tick> {
        self.runs.iter().flatten().map(|run| run.used)
    }
}
