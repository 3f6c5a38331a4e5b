//! How a connection ends: when all is written, when the server ends, or at once.

use super::byte_stream::ByteStream;
use super::connection::{Connection, Input, Partial, Socket, State};
use super::context::Context;
use crate::hub::Tick;
use crate::protocol::websocket::close::CloseCode;
use crate::transport::answer::{Overload, Refusal};
use crate::transport::metrics::{Carried, Ended};
use crate::transport::stream;

impl<S: ByteStream> Connection<S> {
    /// Its end is decided: that is counted, once.
    pub(super) fn count_end(&self, ended: Ended, cx: &mut Context) {
        if let Some(carried) = self.state.carried().filter(|carried| *carried != Carried::Ending) {
            cx.service.counters.end(carried, ended);
        }
    }

    /// Ends the connection once everything is written.
    pub(super) fn end(&mut self, ended: Ended, cx: &mut Context) {
        self.count_end(ended, cx);
        self.enter(State::Ending, cx);
        // As long as the client takes something within each write deadline, it gets everything.
        self.due = Tick(u32::MAX);
        self.flush(cx);
    }

    /// The last byte is written: the server's side ends, and the client's is waited for.
    pub(super) fn linger(&mut self, cx: &mut Context) {
        if self.input == Input::Ended {
            return self.close(Ended::Client, cx);
        }
        self.drop_busy(cx);
        self.enter(State::Lingering, cx);
        self.due_in(cx.options.linger, cx);
        if self.stream.end().is_err() {
            self.close(Ended::Broken, cx);
        }
    }

    /// Nothing that it holds is needed any more; a window of compression is another's to have.
    fn drop_busy(&mut self, cx: &mut Context) {
        let compression = self.busy.take().and_then(|busy| busy.compression);
        cx.echo_contexts -= usize::from(compression.is_some_and(|compression| compression.keeps_context()));
    }

    /// It is over.
    pub(super) fn close(&mut self, ended: Ended, cx: &mut Context) {
        if matches!(self.state, State::Closed) {
            return;
        }
        self.count_end(ended, cx);
        if let Some(topic) = self.topic() {
            cx.service.hub.leave(topic, self.key.slot, cx.clock.tick());
        }
        self.enter(State::Closed, cx);
        self.drop_busy(cx);
        cx.out.clear();
        cx.closed.push(self.key.slot);
    }

    /// Lets go of what it holds, and ends. Who only sends is told why; who does not take what it is owed can't be.
    pub(super) fn give_up(&mut self, cx: &mut Context) {
        if self.outbox_len() > 0 {
            cx.service.counters.overloaded(Overload::Memory);
            return self.close(Ended::Memory, cx);
        }
        let partial = self.busy.as_mut().map(|busy| {
            busy.waiting = Vec::new();
            std::mem::take(&mut busy.partial)
        });
        match self.state {
            State::Request => {
                let refusal = Refusal::overloaded(Overload::Memory, false);
                self.refuse_partial(partial.unwrap_or_default(), refusal, cx);
            }
            State::Socket(Socket::Topic { .. } | Socket::Echo { .. }) => {
                cx.service.counters.overloaded(Overload::Memory);
                self.start_close(CloseCode::TRY_AGAIN_LATER, Overload::Memory.detail(), Ended::Memory, cx);
                self.end(Ended::Memory, cx);
            }
            State::Held { .. } => self.refuse_held(Refusal::overloaded(Overload::Memory, false), cx),
            _ => self.close(Ended::Memory, cx),
        }
        if !matches!(self.state, State::Closed) {
            // It is not its own turn, so nobody else sees to its new deadline.
            self.arm(cx);
        }
    }

    /// The server is about to end: every connection is brought to its own end.
    pub fn drain(&mut self, cx: &mut Context) {
        match self.state {
            State::Request => {
                let busy = self.busy.as_ref();
                if busy.is_none_or(|busy| busy.waiting.is_empty() && matches!(busy.partial, Partial::None)) {
                    self.end(Ended::Drain, cx);
                }
            }
            State::Held { .. } => self.release(cx),
            State::Stream(following) => {
                self.count_end(Ended::Drain, cx);
                self.leave(None, State::Ending, cx);
                let retry = cx.retry();
                stream::write_end(following.encoding, Some(retry), &mut cx.out);
                self.end(Ended::Drain, cx);
            }
            State::Socket(Socket::Topic { .. } | Socket::Echo { .. }) => {
                self.start_close(CloseCode::GOING_AWAY, "the server is about to end", Ended::Drain, cx);
                self.flush(cx);
            }
            State::Socket(Socket::Closing) | State::Ending | State::Lingering | State::Closed => {}
        }
        if !matches!(self.state, State::Closed) {
            self.arm(cx);
        }
    }
}
