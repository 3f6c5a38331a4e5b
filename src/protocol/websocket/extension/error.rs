//! The rules for `Sec-WebSocket-Extensions` (RFC 6455 §9.1, RFC 7692 §7).

use crate::protocol::http::Status;
use crate::protocol::rule::rules;

rules! {
    /// Why a `Sec-WebSocket-Extensions` field is rejected. A server responds with the status; a
    /// client fails the connection (RFC 6455 §4.1, §9.1).
    pub enum ExtensionError => status: Status {
        Grammar: BAD_REQUEST, 6455, "9.1", "Sec-WebSocket-Extensions is not a list of extensions.";
        NotOffered: BAD_REQUEST, 6455, "4.1",
            "The server accepts an extension that the client did not offer.";
        // RSV1 can signal only one extension.
        AcceptedTwice: BAD_REQUEST, 7692, "6", "The server accepts permessage-deflate twice.";
        UnknownParameter: BAD_REQUEST, 7692, "7", "The parameter is unknown to permessage-deflate.";
        ParameterValue: BAD_REQUEST, 7692, "7",
            "A parameter of permessage-deflate has an invalid value.";
        ParameterRepeated: BAD_REQUEST, 7692, "7",
            "A parameter of permessage-deflate is present more than once.";
        ServerContextTakeover: BAD_REQUEST, 7692, "7.1.1.1",
            "The server ignores the offered server_no_context_takeover.";
        ServerWindow: BAD_REQUEST, 7692, "7.1.2.1",
            "The server omits or exceeds the offered server_max_window_bits.";
        ClientWindow: BAD_REQUEST, 7692, "7.1.2.2",
            "The server exceeds the offered client_max_window_bits, or the client did not offer it.";
    }
}
