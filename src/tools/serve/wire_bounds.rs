//! The memory of the wire view: its share of `--max-buffered-bytes`, divided among its buffers.
//!
//! Watching must not make the server close connections for memory. So each buffer has a bound, and
//! what exceeds it is not shown, and counted.

/// The wire view may use one part in this many of the memory of all connections.
const SHARE: usize = 4;
/// The share of the default of `--max-buffered-bytes`.
const DEFAULT_SHARE: usize = (256 << 20) / SHARE;

/// The most bytes of a recording that wait for the file. More than for the log, because a hole ends
/// the recording of a connection.
const RECORDING_BYTES: usize = 16 << 20;
/// The most bytes of text that wait for standard error.
const TEXT_BYTES: usize = 4 << 20;
/// The most bytes of events that wait for the delivery of earlier ones. A byte that passes can
/// become a hundred in the view, and a flood of small frames must not become a flood of large
/// events.
const EVENT_BYTES: usize = 4 << 20;
/// What the last of these events may have in addition.
const LAST_EVENT_BYTES: usize = 32 << 10;
/// The most bytes of text or of a recording that are collected before they are queued.
const BATCH_BYTES: usize = 256 << 10;

/// The bounds in bytes. A queue for a thread needs its bound twice: while the thread writes one
/// batch, the next one waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireBounds {
    share: usize,
    /// The blocks of a recording that wait for the file.
    pub recording: usize,
    /// The text that waits for standard error.
    pub text: usize,
    /// The events that wait for the delivery of earlier ones.
    pub events: usize,
}

impl WireBounds {
    /// Returns the bounds for a server whose connections may together use `buffered_bytes`.
    pub fn of_share(buffered_bytes: usize) -> WireBounds {
        let share = buffered_bytes / SHARE;
        WireBounds {
            share,
            recording: RECORDING_BYTES.min(share / 4),
            text: TEXT_BYTES.min(share / 16),
            events: EVENT_BYTES.min(share / 16),
        }
    }

    /// Returns how many bytes of a queue's bound are collected before they are queued.
    pub fn batch(queue: usize) -> usize {
        BATCH_BYTES.min(queue / 8)
    }

    /// Returns the bound on the conversations of all connections together: all that the outputs in
    /// use leave of the share.
    pub fn conversations(&self, prints: bool, records: bool) -> usize {
        let output = |is_used: bool, queue: usize| match is_used {
            // A batch grows by doubling.
            true => 2 * (queue + Self::batch(queue)),
            false => 0,
        };
        let outputs = output(prints, self.text) + output(records, self.recording);
        // The last spans that are shown exceed the bound of the events.
        self.share.saturating_sub(outputs + 2 * self.events + LAST_EVENT_BYTES)
    }
}

impl Default for WireBounds {
    fn default() -> WireBounds {
        WireBounds::of_share(DEFAULT_SHARE * SHARE)
    }
}

#[cfg(test)]
mod tests {
    use super::WireBounds;

    #[test]
    fn the_buffers_fit_in_the_share_whatever_it_is() {
        for buffered_bytes in [1 << 20, 16 << 20, 256 << 20, 1 << 40] {
            let bounds = WireBounds::of_share(buffered_bytes);
            let conversations = bounds.conversations(true, true);
            assert!(conversations >= buffered_bytes / 128, "{bounds:?}");
            let outputs = 2 * (bounds.recording + bounds.text) + bounds.events;
            assert!(conversations + outputs <= buffered_bytes / 4, "{bounds:?}");
        }
        let default = WireBounds::default();
        assert_eq!((default.recording, default.text, default.events), (16 << 20, 4 << 20, 4 << 20));
    }
}
