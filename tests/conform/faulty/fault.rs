//! The faults that the server can have.

/// Declares each fault once, with a sentence that says what the server does wrong.
macro_rules! faults {
    ($($(#[doc = $text:literal])+ $name:ident,)*) => {
        /// One fault of the server. Everything else is correct.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault {
            $($(#[doc = $text])+ $name,)*
        }

        impl Fault {
            /// All faults.
            pub const ALL: &'static [Fault] = &[$(Fault::$name,)*];
        }
    };
}

faults! {
    // The opening handshake (RFC 6455 §4.2).
    /// `Sec-WebSocket-Accept` belongs to another key.
    WrongAcceptKey,
    /// Version 8 is accepted too.
    AcceptsVersion8,
    /// A handshake without a key is accepted.
    AcceptsMissingKey,
    /// A key that is not 16 bytes in base64 is accepted.
    AcceptsInvalidKey,
    /// A handshake without `Connection: Upgrade` is accepted.
    AcceptsMissingConnection,
    /// A handshake with the method POST is accepted.
    AcceptsPostHandshake,
    /// The response has a subprotocol that the client has not offered.
    SelectsUnofferedSubprotocol,
    /// Frames that arrive with the handshake are lost.
    LosesBytesAfterHandshake,

    // Frames (§5.2).
    /// RSV bits without a meaning are ignored.
    AcceptsReservedBits,
    /// Frames with a reserved opcode are ignored.
    AcceptsReservedOpcodes,
    /// Frames without a mask are accepted.
    AcceptsUnmaskedFrames,
    /// A length may have more bytes than it needs.
    AcceptsLongLengths,
    /// The top bit of a length of 64 bits is ignored.
    IgnoresTopBitOfLength,
    /// Control frames may have FIN = 0.
    AcceptsFragmentedControls,
    /// Control frames may have more than 125 bytes.
    AcceptsLongControls,
    /// The frames of the server are masked.
    MasksItsFrames,
    /// A message of 65,536 bytes loses its last byte.
    LosesByteOf65536,
    /// Pings are answered after a violation.
    AnswersAfterViolation,

    // Messages and control frames (§5.4, §5.5).
    /// A continuation without a start begins a message.
    AcceptsLoneContinuation,
    /// A new message may start within another one, and continues it.
    AcceptsMessageInMessage,
    /// The parts of a fragmented echo have another message between them.
    InterleavesMessages,
    /// Binary messages come back as text.
    EchoesBinaryAsText,
    /// Pongs have no payload.
    SendsEmptyPongs,
    /// Pings between the fragments of a message are not answered.
    NoPongInMessage,
    /// Unsolicited pongs are answered with a pong.
    AnswersPongs,

    // Text (§8.1).
    /// Text is not checked.
    NoUtf8Check,
    /// Each frame is checked as if it were a message, so a split character is rejected.
    ChecksUtf8PerFrame,
    /// Text is checked only when the message is complete.
    ChecksUtf8AtEnd,

    // The closing handshake (§5.5.1, §7).
    /// Close codes that never appear in a frame are accepted.
    AcceptsInvalidCloseCodes,
    /// Half a close code is accepted.
    AcceptsOneByteClose,
    /// The reason of a close frame is not checked.
    AcceptsInvalidReasons,
    /// A close frame is not answered.
    SendsNoCloseFrame,
    /// The TCP connection stays open after the closing handshake.
    KeepsTcpOpen,
    /// Messages that follow a close frame are echoed.
    EchoesAfterClose,

    // permessage-deflate (RFC 7692).
    /// The inflater forgets the previous messages, although the client may refer to them.
    InflaterForgets,
    /// The deflater refers to previous messages in spite of `server_no_context_takeover`.
    DeflaterKeepsContext,
    /// The deflater refers back further than `server_max_window_bits` allows.
    IgnoresServerWindow,
    /// RSV1 may be set in a continuation.
    AcceptsRsv1OnContinuation,
    /// RSV1 may be set in a control frame.
    AcceptsRsv1OnControl,
    /// An offer with an unknown parameter is accepted.
    AcceptsUnknownParameter,
    /// The response accepts an extension that was not offered.
    AcceptsWithoutOffer,
    /// The response limits a client's window that the offer does not name.
    LimitsUnnamedWindow,
    /// A message that contains a last block (BFINAL) is rejected.
    RejectsLastBlocks,
    /// A message that is not DEFLATE is accepted as far as it goes.
    AcceptsInvalidDeflate,
    /// The inflated size of a message is not limited.
    NoInflatedLimit,

    // HTTP (RFC 9110, RFC 9112).
    /// LF alone ends a line.
    AcceptsBareLf,
    /// `Transfer-Encoding` replaces `Content-Length`.
    AcceptsLengthAndCoding,
    /// A space before the colon of a field is skipped.
    AcceptsSpaceBeforeColon,
    /// Of two different lengths, the first counts.
    AcceptsTwoLengths,
    /// A length with a sign is accepted.
    AcceptsSignedLength,
    /// A field that continues on the next line is accepted.
    AcceptsFoldedFields,
    /// A chunk size may start with `0x`.
    AcceptsHexPrefix,
    /// `chunked` need not be the last coding.
    AcceptsCodingAfterChunked,
    /// The bytes that arrive with a request, but behind it, are lost.
    LosesPipelinedRequests,
    /// HTTP/1.1 requests without `Host` are accepted.
    AcceptsMissingHost,
    /// Of two `Host` fields, the first counts.
    AcceptsTwoHosts,
    /// The response to HEAD has content.
    SendsContentForHead,
    /// The version of the protocol is not checked.
    AcceptsAnyVersion,
    /// `Content-Length` of a response to GET is one too small.
    WrongContentLength,
    /// The connection closes after each response, without `Connection: close`.
    ClosesWithoutNotice,
    /// `Connection: close` of the request is ignored.
    IgnoresConnectionClose,
    /// `Expect: 100-continue` is not answered before the content arrives.
    NoContinue,

    // Event streams (WHATWG HTML §9.2).
    /// The media type is `text/plain`.
    WrongMediaType,
    /// An event is sent when the next one is published.
    DelaysEvents,
    /// A resumed stream repeats the event of the cursor.
    RepeatsEventAtResume,
    /// A resumed stream lacks the first event after the cursor.
    LosesEventAtResume,
    /// Events have no id.
    SendsNoIds,
    /// A CR within data is sent as it is.
    SendsCrInData,
    /// Only the first line of data has a field name.
    SendsRawLines,
    /// `Accept: application/json` receives an event stream.
    StreamsJson,
    /// The weights in `Accept` do not count.
    IgnoresWeights,
    /// HEAD receives an event stream.
    StreamsToHead,
    /// A cursor of another epoch is no gap.
    HidesGaps,

    // Polls.
    /// A long poll is answered at once.
    NeverHoldsPolls,
    /// A long poll is answered seconds after its timeout.
    HoldsPollsTooLong,
    /// A long poll does not return the events that were published before it.
    LosesEventsBetweenPolls,
    /// A held poll is not answered by an event, only by its timeout.
    HoldsPollsDespiteEvents,
    /// The responses to polls have no `ETag`.
    SendsNoEtag,
    /// `If-None-Match` is ignored.
    IgnoresIfNoneMatch,
    /// A 304 has content.
    SendsContentWith304,
    /// A cache may store the responses to polls.
    SendsCacheablePolls,
    /// A request behind a held poll is lost.
    LosesRequestBehindPoll,
    /// A poll repeats the event of its cursor.
    RepeatsCursorEvent,
    /// `wait=` accepts any text.
    AcceptsAnyWait,
}
