//! A topic's log: the queue of segments that all its followers read from, each at a cursor of its own.

use std::collections::VecDeque;

use super::{Encoder, Epoch, Segment, Sequence, Tick};

/// A segment takes no further event beyond this many bytes of names and data.
const SEGMENT_BYTES: usize = 64 * 1024;
/// A segment takes no further event beyond this many.
const SEGMENT_EVENTS: usize = 256;

/// A follower's place in a log: a segment's number, and an offset in that segment's run in the
/// follower's encoding. Behind it stands what the follower has been given, before it what it is owed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// The segment's number; they count up over the life of the log.
    pub segment: u32,
    /// The offset in the run, in bytes.
    pub offset: u32,
}

/// The kept window of a topic's events.
pub struct Log {
    segments: VecDeque<Segment>,
    /// The number of `segments[0]`.
    first: u32,
    events: usize,
    segment_events: usize,
    lost_through: Sequence,
    newest: Sequence,
}

impl Log {
    /// An empty log that has lost everything through `lost_through`, for a window of `window_events`.
    pub fn new(lost_through: Sequence, window_events: usize) -> Log {
        Log {
            segments: VecDeque::new(),
            first: 0,
            events: 0,
            // Whole segments are dropped, so a small window wants small ones, to be kept to closely.
            segment_events: (window_events / 4).clamp(1, SEGMENT_EVENTS),
            lost_through,
            newest: lost_through,
        }
    }

    /// The last sequence that is no longer kept.
    pub fn lost_through(&self) -> Sequence {
        self.lost_through
    }

    /// The newest event's sequence; [`Log::lost_through`] where there is none.
    pub fn newest(&self) -> Sequence {
        self.newest
    }

    /// What its events weigh, in bytes, without their encodings.
    pub fn weight(&self) -> usize {
        self.segments.iter().map(Segment::log_weight).sum()
    }

    /// The oldest kept event's sequence.
    pub fn oldest(&self) -> Option<Sequence> {
        self.segments.front().map(Segment::first_sequence)
    }

    /// How many events are kept.
    pub fn len(&self) -> usize {
        self.events
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// The number of the oldest segment kept.
    pub fn first_segment(&self) -> u32 {
        self.first
    }

    /// The number of the segment that the next event goes to, as far as can be said before it comes.
    pub fn open_segment(&self) -> u32 {
        self.first + (self.segments.len() as u32).saturating_sub(1)
    }

    /// The segments from the number `from` on, with their numbers.
    pub fn segments_from(&self, from: u32) -> impl Iterator<Item = (u32, &Segment)> {
        let skip = from.saturating_sub(self.first);
        (self.first + skip..).zip(self.segments.iter().skip(skip as usize))
    }

    pub(super) fn segments_mut(&mut self) -> impl Iterator<Item = &mut Segment> {
        self.segments.iter_mut()
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter()
    }

    /// Appends an event and returns by how many bytes the log has grown, and by how many its runs have shrunk.
    pub(super) fn append(&mut self, sequence: Sequence, name: &str, data: &str, now: Tick) -> (usize, usize) {
        let mut given_back = 0;
        let room = self.segments.back().is_some_and(|open| {
            open.len() < self.segment_events && open.text_bytes() + name.len() + data.len() <= SEGMENT_BYTES
        });
        if !room {
            if let Some(full) = self.segments.back_mut() {
                let before = full.run_weight();
                full.close();
                given_back = before - full.run_weight();
            }
            self.segments.push_back(Segment::new());
        }
        let open = self.segments.back_mut().expect("there is one: it was just pushed if it was missing");
        let before = open.log_weight();
        open.push(sequence, name, data, now);
        self.events += 1;
        self.newest = sequence;
        (open.log_weight() - before, given_back)
    }

    /// Drops the oldest segment, if the number of it is below `floor`.
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

    fn get(&self, number: u32) -> Option<&Segment> {
        self.segments.get(number.checked_sub(self.first)? as usize)
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut Segment> {
        self.segments.get_mut(number.checked_sub(self.first)? as usize)
    }

    /// Where the first event after `sequence` stands: the segment's number, and the event's in it. Where
    /// there is none: the end of the open segment.
    pub fn first_after(&self, sequence: Sequence) -> (u32, usize) {
        let behind = self.segments.partition_point(|segment| segment.last_sequence() <= sequence);
        match self.segments.get(behind) {
            Some(segment) => (self.first + behind as u32, segment.first_after(sequence)),
            None => (self.open_segment(), self.segments.back().map_or(0, Segment::len)),
        }
    }

    /// The cursor behind which stands everything through `sequence`. Also: by how many bytes the runs have
    /// grown, since a place in an encoding is known only once that is made.
    pub(super) fn cursor_after(
        &mut self,
        sequence: Sequence,
        encoder: Encoder,
        epoch: Epoch,
        now: Tick,
    ) -> (Cursor, usize) {
        let (segment, event) = self.first_after(sequence);
        let grown = self.encode(segment, encoder, epoch, now);
        let run = self.get(segment).and_then(|segment| segment.run(encoder.slot));
        let offset = run.map_or(0, |run| run.end_of(event)) as u32;
        (Cursor { segment, offset }, grown)
    }

    /// Brings the run of one segment up to date; see [`Segment::encode`].
    fn encode(&mut self, segment: u32, encoder: Encoder, epoch: Epoch, now: Tick) -> usize {
        self.get_mut(segment).map_or(0, |segment| segment.encode(encoder, epoch, now))
    }

    /// Makes the runs from the cursor on, until they hold `budget` bytes owed to it or all there is. Returns
    /// by how many bytes the runs have grown.
    pub(super) fn prepare(
        &mut self,
        cursor: Cursor,
        encoder: Encoder,
        budget: usize,
        epoch: Epoch,
        now: Tick,
    ) -> usize {
        let mut grown = 0;
        let mut owed = 0;
        for number in cursor.segment..=self.open_segment() {
            grown += self.encode(number, encoder, epoch, now);
            let run = self.get(number).and_then(|segment| segment.run(encoder.slot));
            owed += run.map_or(0, |run| run.bytes().len());
            if number == cursor.segment {
                owed -= cursor.offset as usize;
            }
            if owed >= budget {
                break;
            }
        }
        grown
    }

    /// What is owed to a cursor, as far as the runs are made: a slice for each segment from it on.
    pub fn owed(&self, cursor: Cursor, slot: usize) -> impl Iterator<Item = &[u8]> {
        let mut cut = false;
        self.segments_from(cursor.segment).map_while(move |(number, segment)| {
            // What stands behind a run that is not whole would leave events out.
            let run = segment.run(slot).filter(|_| !cut)?;
            cut = !segment.is_encoded(slot);
            let from = if number == cursor.segment { cursor.offset as usize } else { 0 };
            run.bytes().get(from..)
        })
    }

    /// The cursor moved over `written` bytes of what is owed to it. At a closed segment's end it stands at
    /// the next one's start.
    pub fn advance(&self, cursor: Cursor, slot: usize, mut written: usize) -> Cursor {
        let mut moved = cursor;
        for (number, segment) in self.segments_from(cursor.segment) {
            let Some(run) = segment.run(slot) else { break };
            let left = run.bytes().len() - moved.offset as usize;
            moved.offset += written.min(left) as u32;
            if written < left || !segment.is_encoded(slot) || number == self.open_segment() {
                break;
            }
            // Also where the next one's run is not made yet: what is behind the cursor may go, and it stays.
            moved = Cursor { segment: number + 1, offset: 0 };
            written -= left;
        }
        moved
    }

    /// How many bytes are left of the event in the middle of which the cursor stands; none between two.
    pub fn left_of_event(&self, cursor: Cursor, slot: usize) -> usize {
        let run = self.get(cursor.segment).and_then(|segment| segment.run(slot));
        run.map_or(0, |run| run.event_end(cursor.offset as usize) - cursor.offset as usize)
    }

    /// Where a cursor stands that has been given everything up to a segment that is no longer kept.
    pub fn settle(&self, cursor: Cursor) -> Cursor {
        if cursor.segment < self.first { Cursor { segment: self.first, offset: 0 } } else { cursor }
    }

    /// Whether a cursor has nothing owed to it.
    pub fn is_at_head(&self, cursor: Cursor, slot: usize) -> bool {
        let Some(open) = self.segments.back() else { return true };
        let made = open.run(slot).map(|run| run.bytes().len());
        cursor.segment == self.open_segment() && open.is_encoded(slot) && made == Some(cursor.offset as usize)
    }
}

#[cfg(test)]
mod tests;
