//! Reading: from a readiness report to bytes, which go to [`http`](super::http) or to
//! [`websocket`](super::websocket); and the deadlines of each state.

use std::io;

use super::state::{Input, Partial, Queue, Readiness, State};
use super::{Connection, Deadline, FRESH};
use crate::hub::Tick;
use crate::protocol::http::{HeadScan, Status};
use crate::server::byte_stream::ByteStream;
use crate::server::context::LoopContext;
use crate::server::observer::Sender;
use crate::server::work::cost;
use crate::transport::event_stream;
use crate::transport::metrics::EndReason;
use crate::transport::response::Refusal;

/// The outcome of interpreting some bytes as a request.
pub(super) enum ParseOutcome {
    /// This many bytes are consumed.
    Consumed(usize),
    /// All bytes belong to an incomplete head; the scan so far.
    IncompleteHead(HeadScan),
    /// The request publishes, and the log has no room. No byte is consumed.
    Parked,
}

impl<S: ByteStream> Connection<S> {
    /// Notes what the poll has reported. Returns the queue in which the connection must be put for
    /// a turn, unless it is in one.
    pub fn note(&mut self, readiness: Readiness) -> Option<Queue> {
        if readiness.ended && self.input != Input::Ended {
            self.input = Input::Ending;
        } else if readiness.readable && self.input == Input::Empty {
            self.input = Input::Ready;
        }
        if self.queue.is_some() {
            return None;
        }
        self.queue = Some(match self.light_turns_due {
            0 => Queue::Ready,
            1..=FRESH => Queue::Fresh,
            _ => Queue::Backlog,
        });
        self.queue
    }

    /// Takes a turn: writes pending output, then reads until the socket is empty or the turn is
    /// over. Whatever the output needs of the turn, one read is made.
    pub fn serve(&mut self, buffer: &mut [u8], cx: &mut LoopContext) {
        self.queue = None;
        // A socket that was never full has no room to report.
        if self.was_full && self.busy.is_some() {
            self.flush(cx);
        }
        self.continue_operation(cx);
        self.probe_called(cx);
        self.serve_input(buffer, cx);
    }

    /// Handles input until there is none or the turn is over.
    fn serve_input(&mut self, buffer: &mut [u8], cx: &mut LoopContext) {
        let mut is_first = true;
        while self.may_read(cx) && self.queue != Some(Queue::Parked) && !self.has_operation() {
            let has_deferred = self.busy.as_ref().is_some_and(|busy| !busy.deferred.is_empty());
            if !has_deferred && !matches!(self.input, Input::Ready | Input::Ending) {
                break;
            }
            if cx.is_turn_over() && !is_first {
                self.schedule(cx);
                break;
            }
            is_first = false;
            if let Some(mut deferred) = self.take_deferred() {
                self.receive(&mut deferred, cx);
                self.flush(cx);
            } else {
                let room = cx.read_bytes.min(buffer.len());
                self.read(&mut buffer[..room], cx);
            }
        }
        if self.input == Input::Ended && self.may_read(cx) && matches!(self.state, State::Http) {
            // A half-close: every request before it has been answered (RFC 9112 §9.6).
            self.end(EndReason::Client, cx);
        }
        self.arm(cx);
    }

    fn may_read(&self, cx: &LoopContext) -> bool {
        self.state.may_read() && self.outbox_len() < cx.options.outbox_bytes
    }

    /// Returns whether the client's FIN is known.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.input, Input::Ending | Input::Ended)
    }

    /// Returns whether bytes or the client's FIN may still have to be handled.
    pub(super) fn has_input(&self) -> bool {
        self.input != Input::Empty || self.busy.as_ref().is_some_and(|busy| !busy.deferred.is_empty())
    }

    /// Reads once, interprets the bytes and writes the output.
    fn read(&mut self, buffer: &mut [u8], cx: &mut LoopContext) {
        cx.work.charge(cost::READ);
        match self.stream.read(buffer) {
            Ok(0) => {
                self.input = Input::Ended;
                self.handle_fin(cx);
            }
            Ok(length) => {
                cx.observe(self.key, Sender::Client, &mut std::iter::once(&buffer[..length]));
                cx.service.counters.bytes_read += length as u64;
                cx.work.charge(cost::bytes(length));
                if length < buffer.len() && self.input == Input::Ready {
                    // A short read has emptied the socket, and the poll will report the next bytes
                    // (epoll(7), question 9). It does not report the same FIN twice.
                    self.input = Input::Empty;
                }
                self.receive(&mut buffer[..length], cx);
                self.flush(cx);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.input = Input::Empty,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.close(EndReason::Broken, cx),
        }
    }

    /// Handles the end of the client's side.
    fn handle_fin(&mut self, cx: &mut LoopContext) {
        match self.state {
            // Netcat ends its side and still wants the response. A write shows whether the client
            // is still there.
            State::Stream(following) => {
                event_stream::write_heartbeat(following.encoding, &mut cx.out);
                self.flush(cx);
            }
            // Half of a TCP connection is not a WebSocket (RFC 6455 §7.1.1).
            State::Socket(_) | State::Lingering => self.close(EndReason::Client, cx),
            State::Http | State::Held(_) | State::Called(_) | State::Flushing | State::Closed => {}
        }
    }

    /// Interprets bytes. The bytes of an incomplete head are kept together in one buffer, so the
    /// parser always sees a head from its start.
    #[inline]
    pub(super) fn receive(&mut self, input: &mut [u8], cx: &mut LoopContext) {
        let Some((mut buffer, scan)) = self.take_partial_head() else {
            if let Some((scan, length)) = self.interpret(input, None, cx) {
                let buffer = input[input.len() - length..].to_vec();
                self.busy().partial = Some(Partial::Head { buffer, scan });
            }
            return;
        };
        buffer.extend_from_slice(input);
        if let Some((scan, length)) = self.interpret(&mut buffer, Some(scan), cx) {
            buffer.drain(..buffer.len() - length);
            self.busy().partial = Some(Partial::Head { buffer, scan });
        }
    }

    /// Passes bytes to the handler of the current state, which each request can change. `scan` is
    /// the scan so far of the head at the start. Returns the scan of an incomplete head at the end,
    /// and the length of that head.
    fn interpret(
        &mut self,
        input: &mut [u8],
        mut scan: Option<HeadScan>,
        cx: &mut LoopContext,
    ) -> Option<(HeadScan, usize)> {
        let mut rest = input;
        let mut is_first = true;
        while !rest.is_empty() {
            if self.must_wait(is_first, cx) {
                self.defer(rest, cx);
                break;
            }
            is_first = false;
            if self.outbox_len() + cx.out.len() >= cx.options.outbox_bytes {
                self.flush(cx);
                if self.outbox_len() >= cx.options.outbox_bytes {
                    self.defer(rest, cx);
                    break;
                }
            }
            let consumed = match &self.state {
                State::Http => match self.receive_request(rest, scan.take(), cx) {
                    ParseOutcome::Consumed(consumed) => consumed,
                    ParseOutcome::IncompleteHead(scan) => return Some((scan, rest.len())),
                    ParseOutcome::Parked => 0,
                },
                State::Socket(_) => self.receive_frames(rest, cx),
                State::Held(_) | State::Called(_) => {
                    self.defer(rest, cx);
                    rest.len()
                }
                // In these states, the client's bytes are dropped.
                State::Stream(_) | State::Flushing | State::Lingering | State::Closed => rest.len(),
            };
            rest = &mut rest[consumed..];
        }
        None
    }

    /// Returns whether the next bytes must wait: for room in the log, for a long operation, or for
    /// the next turn, if this one has made some progress.
    fn must_wait(&mut self, is_first: bool, cx: &mut LoopContext) -> bool {
        let is_parked = self.queue == Some(Queue::Parked);
        let is_over = !is_first && cx.is_turn_over();
        if is_over && !is_parked {
            self.schedule(cx);
        }
        is_parked || is_over || self.has_operation()
    }

    fn take_partial_head(&mut self) -> Option<(Vec<u8>, HeadScan)> {
        match self.busy.as_mut()?.partial.take_if(|partial| matches!(partial, Partial::Head { .. }))? {
            Partial::Head { buffer, scan } => Some((buffer, scan)),
            _ => None,
        }
    }

    /// Keeps bytes for later. Nothing is read while bytes are deferred, so at most one read buffer
    /// and one incomplete head are deferred.
    fn defer(&mut self, bytes: &[u8], cx: &mut LoopContext) {
        cx.work.charge(cost::bytes(bytes.len()));
        self.busy().deferred.extend_from_slice(bytes);
    }

    fn take_deferred(&mut self) -> Option<Vec<u8>> {
        let deferred = &mut self.busy.as_mut()?.deferred;
        (!deferred.is_empty()).then(|| std::mem::take(deferred))
    }

    /// Handles an entry of the timer wheel. An entry that an earlier one has replaced is ignored.
    /// If the deadline has moved since, a new entry is made.
    pub fn handle_deadline(&mut self, entry: Tick, buffer: &mut [u8], cx: &mut LoopContext) {
        if entry != self.timer_entry {
            return;
        }
        self.timer_entry = Tick::NEVER;
        let (due, deadline) = self.next_deadline(cx);
        if due <= cx.now() {
            match deadline {
                Deadline::Write => return self.close(EndReason::WriteTimeout, cx),
                Deadline::Message => self.expire_message(cx),
                Deadline::State => self.expire(cx),
            }
            self.serve_input(buffer, cx);
        }
        self.arm_unless_closed(cx);
    }

    /// Handles the deadline of the state.
    fn expire(&mut self, cx: &mut LoopContext) {
        match self.state {
            State::Http => self.expire_request(cx),
            State::Held(_) => self.respond_to_held(cx),
            State::Called(_) => {
                let detail = "The answer took too long; try again later (RFC 9110 §15.6.4).";
                self.refuse_called(Refusal::new(Status::SERVICE_UNAVAILABLE, detail), cx);
            }
            State::Stream(following) => {
                // A stream with pending output needs no heartbeat; the write timeout applies.
                if self.busy.is_none() {
                    event_stream::write_heartbeat(following.encoding, &mut cx.out);
                    self.flush(cx);
                }
                self.due_in(cx.options.heartbeat, cx);
            }
            State::Socket(socket) => self.expire_socket(socket, cx),
            // The end was counted when it was decided, so the reason has no effect.
            State::Flushing | State::Lingering | State::Closed => self.close(EndReason::WriteTimeout, cx),
        }
    }
}
