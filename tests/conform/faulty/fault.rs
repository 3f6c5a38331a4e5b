//! The faults that the server can have.

/// Declares each fault once: a sentence that says what the server does wrong, what becomes of cases
/// about it, and patterns of their numbers.
///
/// `fails`: at least one of the cases fails. `allowed`: the specification does not forbid it, so at
/// least one of the cases passes no longer, but none fails.
macro_rules! faults {
    ($($(#[doc = $text:literal])+ $name:ident: $effect:ident $caught_by:expr;)*) => {
        /// One fault of the server. Everything else is correct.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault {
            $($(#[doc = $text])+ $name,)*
        }

        impl Fault {
            /// All faults.
            pub const ALL: &'static [Fault] = &[$(Fault::$name,)*];

            /// Returns whether the specification does not forbid the fault.
            pub fn is_allowed(self) -> bool {
                match self {
                    $(Fault::$name => stringify!($effect) == "allowed",)*
                }
            }

            /// Returns patterns of the numbers of the cases that may catch the fault. At least one
            /// of them has to.
            pub fn caught_by(self) -> &'static [&'static str] {
                match self {
                    $(Fault::$name => &$caught_by,)*
                }
            }
        }
    };
}

faults! {
    // The opening handshake (RFC 6455 §4.2).
    /// `Sec-WebSocket-Accept` belongs to another key.
    WrongAcceptKey: fails ["websocket/*"];
    /// Version 8 is accepted too.
    AcceptsVersion8: allowed ["websocket/20.*"];
    /// A handshake without a key is accepted.
    AcceptsMissingKey: fails ["websocket/20.*"];
    /// A key that is not 16 bytes in base64 is accepted.
    AcceptsInvalidKey: allowed ["websocket/20.5*", "websocket/20.60"];
    /// A handshake without `Connection: Upgrade` is accepted.
    AcceptsMissingConnection: fails ["websocket/20.*"];
    /// A handshake with the method POST is accepted.
    AcceptsPostHandshake: fails ["websocket/20.*"];
    /// The response has a subprotocol that the client has not offered.
    SelectsUnofferedSubprotocol: fails ["websocket/*"];
    /// Frames that arrive with the handshake are lost.
    LosesBytesAfterHandshake: fails ["websocket/11.*", "websocket/20.*"];

    // Frames (§5.2).
    /// RSV bits without a meaning are ignored.
    AcceptsReservedBits: fails ["websocket/3.*", "websocket/11.*", "websocket/14.*"];
    /// Frames with a reserved opcode are ignored.
    AcceptsReservedOpcodes: fails ["websocket/4.*", "websocket/11.*", "websocket/14.*"];
    /// Frames without a mask are accepted.
    AcceptsUnmaskedFrames: fails ["websocket/8.*", "websocket/11.*"];
    /// A length may have more bytes than it needs.
    AcceptsLongLengths: allowed ["websocket/8.*"];
    /// The top bit of a length of 64 bits is ignored.
    IgnoresTopBitOfLength: fails ["websocket/8.*"];
    /// Control frames may have FIN = 0.
    AcceptsFragmentedControls: fails ["websocket/5.*", "websocket/7.*", "websocket/11.*"];
    /// Control frames may have more than 125 bytes.
    AcceptsLongControls: fails ["websocket/2.*", "websocket/7.*"];
    /// The frames of the server are masked.
    MasksItsFrames: fails ["websocket/*"];
    /// A message of 65,536 bytes loses its last byte.
    LosesByteOf65536: fails ["websocket/1.*", "websocket/9.*", "websocket/10.*", "websocket/11.*"];
    /// Pings are answered after a violation.
    AnswersAfterViolation: fails ["websocket/2.*", "websocket/3.*", "websocket/4.*", "websocket/5.*", "websocket/8.*", "websocket/11.*", "websocket/14.*"];

    // Messages and control frames (§5.4, §5.5).
    /// A continuation without a start begins a message.
    AcceptsLoneContinuation: fails ["websocket/5.*"];
    /// A new message may start within another one, and continues it.
    AcceptsMessageInMessage: fails ["websocket/5.*", "websocket/11.*"];
    /// The parts of a fragmented echo have another message between them.
    InterleavesMessages: fails ["websocket/5.*", "websocket/6.*", "websocket/8.*", "websocket/10.*", "websocket/11.*"];
    /// Binary messages come back as text.
    EchoesBinaryAsText: fails ["websocket/1.*", "websocket/5.*", "websocket/6.*", "websocket/8.*", "websocket/9.*", "websocket/11.*"];
    /// Pongs have no payload.
    SendsEmptyPongs: fails ["websocket/2.*", "websocket/5.*", "websocket/11.*"];
    /// Pings between the fragments of a message are not answered.
    NoPongInMessage: fails ["websocket/5.*", "websocket/6.*"];
    /// Unsolicited pongs are answered with a pong.
    AnswersPongs: fails ["websocket/2.*", "websocket/5.*", "websocket/11.*", "websocket/15.*"];

    // Text (§8.1).
    /// Text is not checked.
    NoUtf8Check: fails ["websocket/6.*", "websocket/11.*", "websocket/14.*", "deflate/7.*"];
    /// Each frame is checked as if it were a message, so a split character is rejected.
    ChecksUtf8PerFrame: fails ["websocket/6.*"];
    /// Text is checked only when the message is complete.
    ChecksUtf8AtEnd: allowed ["websocket/6.*"];

    // The closing handshake (§5.5.1, §7).
    /// Close codes that never appear in a frame are accepted.
    AcceptsInvalidCloseCodes: fails ["websocket/7.*"];
    /// Half a close code is accepted.
    AcceptsOneByteClose: fails ["websocket/7.*", "websocket/11.*"];
    /// The reason of a close frame is not checked.
    AcceptsInvalidReasons: fails ["websocket/7.*"];
    /// A close frame is not answered.
    SendsNoCloseFrame: fails ["websocket/*"];
    /// The TCP connection stays open after the closing handshake.
    KeepsTcpOpen: fails ["websocket/*"];
    /// Messages that follow a close frame are echoed.
    EchoesAfterClose: fails ["websocket/7.*", "websocket/14.*"];

    // permessage-deflate (RFC 7692).
    /// The inflater forgets the previous messages, although the client may refer to them.
    InflaterForgets: fails ["deflate/1.*", "deflate/2.*", "deflate/4.*"];
    /// The deflater refers to previous messages in spite of `server_no_context_takeover`.
    DeflaterKeepsContext: fails ["deflate/1.*", "deflate/2.*", "deflate/4.*"];
    /// The deflater refers back further than `server_max_window_bits` allows.
    IgnoresServerWindow: fails ["deflate/1.*", "deflate/2.*", "deflate/6.*"];
    /// RSV1 may be set in a continuation.
    AcceptsRsv1OnContinuation: fails ["deflate/5.*"];
    /// RSV1 may be set in a control frame.
    AcceptsRsv1OnControl: fails ["deflate/5.*"];
    /// An offer with an unknown parameter is accepted.
    AcceptsUnknownParameter: fails ["deflate/1.*", "deflate/2.*"];
    /// The response accepts an extension that was not offered.
    AcceptsWithoutOffer: fails ["websocket/*"];
    /// The response limits a client's window that the offer does not name.
    LimitsUnnamedWindow: fails ["deflate/*"];
    /// A message that contains a last block (BFINAL) is rejected.
    RejectsLastBlocks: fails ["deflate/3.*", "deflate/4.*"];
    /// A message that is not DEFLATE is accepted as far as it goes.
    AcceptsInvalidDeflate: fails ["deflate/4.*", "deflate/7.*"];

    // HTTP (RFC 9110, RFC 9112).
    /// LF alone ends a line.
    AcceptsBareLf: allowed ["http/1.*", "http/4.*", "http/3.*", "http/5.*"];
    /// `Transfer-Encoding` replaces `Content-Length`.
    AcceptsLengthAndCoding: fails ["http/4.*", "http/6.*"];
    /// A space before the colon of a field is skipped.
    AcceptsSpaceBeforeColon: fails ["http/2.*", "http/3.*"];
    /// Of two different lengths, the first counts.
    AcceptsTwoLengths: fails ["http/4.*"];
    /// A length with a sign is accepted.
    AcceptsSignedLength: fails ["http/4.*"];
    /// A field that continues on the next line is accepted.
    AcceptsFoldedFields: allowed ["http/2.*", "http/3.*"];
    /// A chunk size may start with `0x`.
    AcceptsHexPrefix: allowed ["http/5.*"];
    /// `chunked` need not be the last coding.
    AcceptsCodingAfterChunked: fails ["http/4.*"];
    /// The bytes that arrive with a request, but behind it, are lost.
    LosesPipelinedRequests: fails ["http/*"];
    /// HTTP/1.1 requests without `Host` are accepted.
    AcceptsMissingHost: fails ["http/2.*", "http/4.*"];
    /// Of two `Host` fields, the first counts.
    AcceptsTwoHosts: fails ["http/2.*"];
    /// The response to HEAD has content.
    SendsContentForHead: fails ["http/2.*", "http/7.*"];
    /// The version of the protocol is not checked.
    AcceptsAnyVersion: fails ["http/1.*", "http/2.*", "http/6.*"];
    /// `Content-Length` of a response to GET is one too small.
    WrongContentLength: fails ["http/*"];
    /// The connection closes after each response, without `Connection: close`.
    ClosesWithoutNotice: fails ["http/4.*", "http/7.*"];
    /// `Connection: close` of the request is ignored.
    IgnoresConnectionClose: fails ["http/1.*", "http/2.*", "http/4.*", "http/6.*", "http/7.*"];
    /// `Expect: 100-continue` is not answered before the content arrives.
    NoContinue: fails ["http/7.*"];

    /// A request that breaks a rule is answered with 200.
    AnswersInvalidRequests: fails ["http/*", "websocket/20.*"];
    /// A chunk with an extension is refused.
    RefusesChunkExtensions: fails ["http/5.*"];

    // Event streams (WHATWG HTML §9.2).
    /// The media type is `text/plain`.
    WrongMediaType: fails ["sse/1.*"];
    /// The media type says that the stream is in Latin-1.
    WrongCharset: fails ["sse/1.*"];
    /// An event is sent when the next one is published.
    DelaysEvents: fails ["sse/*"];
    /// A resumed stream repeats the event of the cursor.
    RepeatsEventAtResume: fails ["sse/6.*"];
    /// A resumed stream lacks the first event after the cursor.
    LosesEventAtResume: fails ["sse/6.*"];
    /// Events have no id.
    SendsNoIds: allowed ["sse/3.*", "sse/6.*"];
    /// A CR within data is sent as it is.
    SendsCrInData: fails ["sse/4.*"];
    /// Only the first line of data has a field name.
    SendsRawLines: fails ["sse/4.*"];
    /// `Accept: application/json` receives an event stream.
    StreamsJson: allowed ["sse/2.*"];
    /// The weights in `Accept` do not count.
    IgnoresWeights: allowed ["sse/2.*"];
    /// HEAD receives an event stream.
    StreamsToHead: fails ["sse/1.*"];

    // Polls.
    /// A long poll is answered at once.
    NeverHoldsPolls: fails ["long-poll/1.*", "long-poll/2.*", "long-poll/3.*"];
    /// A long poll is answered seconds after its timeout.
    HoldsPollsTooLong: fails ["long-poll/1.*", "long-poll/2.*"];
    /// A long poll does not return the events that were published before it.
    LosesEventsBetweenPolls: fails ["long-poll/*"];
    /// A held poll is not answered by an event, only by its timeout.
    HoldsPollsDespiteEvents: fails ["long-poll/1.*", "long-poll/2.*", "long-poll/3.*"];
    /// The responses to polls have no `ETag`.
    SendsNoEtag: allowed ["short-poll/3.*", "long-poll/5.*"];
    /// `If-None-Match` is ignored.
    IgnoresIfNoneMatch: fails ["long-poll/5.*", "short-poll/3.*"];
    /// A 304 has content.
    SendsContentWith304: fails ["long-poll/5.*", "short-poll/3.*"];
    /// A cache may store the responses to polls.
    SendsCacheablePolls: fails ["long-poll/4.*", "short-poll/2.*"];
    /// A request behind a held poll is lost.
    LosesRequestBehindPoll: fails ["long-poll/3.*"];
    /// A poll repeats the event of its cursor.
    RepeatsCursorEvent: fails ["long-poll/1.*", "long-poll/2.*", "long-poll/3.*", "short-poll/1.*"];
    /// A cursor that the server cannot read is an internal error.
    FailsAtUnreadableCursors: fails ["short-poll/1.*", "long-poll/1.*", "sse/6.*"];
    /// `wait=` accepts any text.
    AcceptsAnyWait: allowed ["long-poll/1.*"];
}
