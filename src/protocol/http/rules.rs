//! The rules of HTTP/1.1 that barewire enforces: one table for each error type.

use super::status::Status;
use crate::protocol::rule::rules;

rules! {
    /// Why the head of a request or a response is rejected: the rules that both share.
    ///
    /// RFC 9112 §5.2 lets a client repair a folded line. barewire rejects it: a head is borrowed
    /// from the bytes that were received, and today only attacks on differing parsers send such
    /// lines.
    pub enum HeadError => status: Status {
        EmptyLines: BAD_REQUEST, 9112, "2.2", "Too many empty lines precede the start line.";
        StartLineTooLong: URI_TOO_LONG, 9112, "3", "The start line is longer than the limit.";
        VersionNotSupported: HTTP_VERSION_NOT_SUPPORTED, 9112, "2.3",
            "The version is neither HTTP/1.0 nor HTTP/1.1.";
        BareCr: BAD_REQUEST, 9112, "2.2", "A CR is not followed by an LF.";
        BareLf: BAD_REQUEST, 9112, "2.2", "A line ends in LF without CR.";
        Control: BAD_REQUEST, 9110, "5.5", "The head contains a control character.";
        SpaceBeforeFields: BAD_REQUEST, 9112, "2.2", "Whitespace precedes the first field line.";
        ObsFold: BAD_REQUEST, 9112, "5.2", "A field line is folded onto the next line.";
        SpaceBeforeColon: BAD_REQUEST, 9112, "5.1", "Whitespace precedes the colon of a field line.";
        FieldName: BAD_REQUEST, 9112, "5", "A field line does not begin with a token and a colon.";
        TooManyFieldLines: REQUEST_HEADER_FIELDS_TOO_LARGE, 9110, "5.4",
            "The head has more field lines than the limit.";
        HeadTooLarge: REQUEST_HEADER_FIELDS_TOO_LARGE, 9110, "5.4", "The head is larger than the limit.";
        Unfinished: BAD_REQUEST, 9112, "2.1", "The head does not end in an empty line.";
    }
}

rules! {
    /// Why a request head is rejected. The connection cannot be used any further, because the start
    /// of the next request is not known.
    pub enum RequestError: Head(HeadError) => status: Status {
        RequestLine: BAD_REQUEST, 9112, "3",
            "The request line is not a method, a target and a version separated by single spaces.";
        Method: BAD_REQUEST, 9110, "9.1", "The method is not a token.";
        Target: BAD_REQUEST, 9112, "3.2", "The request target does not have a form that the method allows.";
        Fragment: BAD_REQUEST, 9112, "3.2", "The request target contains a fragment.";
        Version: BAD_REQUEST, 9112, "2.3", "The version does not have the form HTTP/digit.digit.";
        HostMissing: BAD_REQUEST, 9112, "3.2", "The HTTP/1.1 request has no Host field.";
        HostRepeated: BAD_REQUEST, 9112, "3.2", "The request has more than one Host field.";
        Host: BAD_REQUEST, 9112, "3.2", "The Host field is not a host with an optional port.";
        Expectation: EXPECTATION_FAILED, 9110, "10.1.1", "Only the expectation 100-continue is supported.";
    }
}

rules! {
    /// Why a response head is rejected. The connection cannot be used any further.
    pub enum ResponseError: Head(HeadError) {
        NotHttp: 9112, "4", "The response does not begin with HTTP/.";
        StatusLine: 9112, "4", "The status line is not a version, a three-digit code and a reason phrase.";
        StatusCode: 9110, "15", "The status code is not between 100 and 599.";
    }
}

rules! {
    /// Why the framing of a message is rejected. The connection cannot be used any further, because
    /// the end of the body is not known.
    pub enum FramingError => status: Status {
        LengthAndCoding: BAD_REQUEST, 9112, "6.1",
            "The message has both Content-Length and Transfer-Encoding.";
        LengthRepeated: BAD_REQUEST, 9112, "6.3", "There is more than one Content-Length.";
        Length: BAD_REQUEST, 9110, "8.6", "Content-Length is not a decimal number.";
        LengthTooLarge: CONTENT_TOO_LARGE, 9110, "8.6", "Content-Length does not fit in 64 bits.";
        CodingInHttp10: BAD_REQUEST, 9112, "6.1", "HTTP/1.0 has no Transfer-Encoding.";
        CodingEmpty: BAD_REQUEST, 9112, "6.1", "Transfer-Encoding has an empty list member.";
        ChunkedRepeated: BAD_REQUEST, 9112, "6.1", "The chunked coding is applied more than once.";
        ChunkedNotLast: BAD_REQUEST, 9112, "6.3", "The last transfer coding is not chunked.";
        CodingNotImplemented: NOT_IMPLEMENTED, 9112, "6.1", "Only the chunked transfer coding is supported.";
    }
}

rules! {
    /// Why a body is rejected. The connection cannot be used any further.
    pub enum BodyError => status: Status {
        ContentTooLarge: CONTENT_TOO_LARGE, 9110, "15.5.14", "The content is larger than the limit.";
        ChunkSize: BAD_REQUEST, 9112, "7.1", "A chunk size is not a hexadecimal number.";
        ChunkSizeTooLong: BAD_REQUEST, 9112, "7.1", "A chunk size has more than 16 digits.";
        ChunkExtension: BAD_REQUEST, 9112, "7.1.1", "A chunk extension is malformed.";
        ExtensionsTooLong: BAD_REQUEST, 9112, "7.1.1", "The chunk extensions are longer than the limit.";
        ChunkDataEnd: BAD_REQUEST, 9112, "7.1", "The data of a chunk is not followed by CRLF.";
        BareCr: BAD_REQUEST, 9112, "7.1", "A CR in the chunked coding is not followed by an LF.";
        BareLf: BAD_REQUEST, 9112, "7.1", "A line of the chunked coding ends in LF without CR.";
        TrailerLine: BAD_REQUEST, 9112, "7.1.2",
            "A line of the trailer section does not begin with a token and a colon.";
        TrailerFold: BAD_REQUEST, 9112, "5.2", "A field line of the trailer section is folded.";
        TrailerControl: BAD_REQUEST, 9110, "5.5", "The trailer section contains a control character.";
        TrailerTooLarge: REQUEST_HEADER_FIELDS_TOO_LARGE, 9112, "7.1.2",
            "The trailer section is larger than the limit.";
        TooManyTrailerLines: REQUEST_HEADER_FIELDS_TOO_LARGE, 9112, "7.1.2",
            "The trailer section has more field lines than the limit.";
    }
}

rules! {
    /// Why percent-encoded text is rejected.
    ///
    /// Browsers keep a malformed `%` and replace invalid UTF-8 (WHATWG URL §1.3, §5.1). A topic or
    /// a cursor that is decoded like that would differ from what the client meant.
    pub enum EncodingError => status: Status {
        Percent: BAD_REQUEST, 3986, "2.1", "A percent sign is not followed by two hexadecimal digits.";
        Utf8: BAD_REQUEST, 3986, "2.5", "The percent-encoded bytes are not UTF-8.";
    }
}
