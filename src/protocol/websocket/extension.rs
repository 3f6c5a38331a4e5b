//! The negotiation of permessage-deflate (RFC 7692 §5, §7; grammar of the field: RFC 6455 §9.1).
//!
//! The client lists its offers, the preferred one first. The server accepts one offer and responds
//! with the agreed parameters:
//!
//! ```text
//! C: Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10, permessage-deflate
//! S: Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10
//! ```
//!
//! Each direction has two parameters, and each restricts the compressor of that direction: it must
//! not use the previous messages (`…_no_context_takeover`), or must not refer back beyond a window
//! (`…_max_window_bits`). Without parameters, compression is best and memory use is highest.

mod error;
mod list;
mod parameters;

pub use error::ExtensionError;
use list::{Extension, Extensions};
pub use parameters::{Agreement, ClientWindow, Direction, MAX_WINDOW_BITS, Offer, PERMESSAGE_DEFLATE};

/// The restrictions that a server imposes on every agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerPreferences {
    /// The server compresses each message without the previous ones and announces it, so that the
    /// client needs no window (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client must compress each message without the previous ones, so that the server needs no
    /// window (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The largest window of the server (§7.1.2.1): 8 to 15.
    pub server_max_window_bits: u8,
    /// The largest window of the client, if the client lets the server choose (§7.1.2.2): 8 to 15.
    pub client_max_window_bits: u8,
}

impl Default for ServerPreferences {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: MAX_WINDOW_BITS,
            client_max_window_bits: MAX_WINDOW_BITS,
        }
    }
}

/// Accepts the first acceptable offer of permessage-deflate and returns the parameters to respond
/// with. Without such an offer the result is `None`, and the response has no
/// `Sec-WebSocket-Extensions`.
///
/// `lines` are the values of all `Sec-WebSocket-Extensions` fields of the request, which form one
/// list (RFC 6455 §9.1). The server skips other extensions and the offers that §7 requires it to
/// decline: those with an unknown parameter, an invalid value, or a repeated parameter.
///
/// # Errors
/// [`ExtensionError::Grammar`] if any line is not a list of extensions, even after an acceptable
/// offer.
pub fn negotiate<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    preferences: &ServerPreferences,
) -> Result<Option<Agreement>, ExtensionError> {
    Ok(offers(lines)?.first().map(|offer| respond(offer, preferences)))
}

/// Returns the acceptable offers of permessage-deflate in the order of the client.
///
/// `lines` are those of [`negotiate`], which skips the same offers.
///
/// # Errors
/// [`ExtensionError::Grammar`] if any line is not a list of extensions.
pub fn offers<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Offer>, ExtensionError> {
    let mut offers = Vec::new();
    for extension in lines.flat_map(Extensions::new) {
        let Extension { name, offer } = extension?;
        offers.extend(offer.ok().filter(|_| name == PERMESSAGE_DEFLATE));
    }
    Ok(offers)
}

/// Returns the response to an offer: the restrictions of both sides.
fn respond(offer: &Offer, preferences: &ServerPreferences) -> Agreement {
    // A window is named if the offer names it or if it is smaller than the default.
    let unless_default = |bits: u8| (bits < MAX_WINDOW_BITS).then_some(bits);
    Agreement {
        // §7.1.1.1: the response accepts the restriction of the offer, or adds it unsolicited.
        server_no_context_takeover: offer.server_no_context_takeover
            || preferences.server_no_context_takeover,
        // §7.1.1.2: the response may add this restriction too. The hint of a client becomes
        // binding.
        client_no_context_takeover: offer.client_no_context_takeover
            || preferences.client_no_context_takeover,
        // §7.1.2.1: at most the value of the offer, if there is one. 8 is possible although the
        // smallest window of zlib is 9, because zlib does not use all of that window (see
        // `deflate`).
        server_max_window_bits: match offer.server_max_window_bits {
            Some(bits) => Some(bits.min(preferences.server_max_window_bits)),
            None => unless_default(preferences.server_max_window_bits),
        },
        // §7.1.2.2: as above, but never unsolicited. Inflating with the largest window works for
        // all.
        client_max_window_bits: match offer.client_max_window_bits {
            ClientWindow::Unnamed => None,
            ClientWindow::Any => unless_default(preferences.client_max_window_bits),
            ClientWindow::AtMost(bits) => Some(bits.min(preferences.client_max_window_bits)),
        },
    }
}

/// Checks a server's response to `offer` and returns the agreed parameters, or `None` if the server
/// declines the extension.
///
/// `lines` are the values of all `Sec-WebSocket-Extensions` fields of the response. The
/// restrictions that the client offered for itself (§7.1.1.2, §7.1.2.2) are part of the agreement,
/// even if the server does not repeat them.
///
/// # Errors
/// The rule that the response breaks; the client must then fail the connection (§7).
pub fn check_response<'a>(
    offer: &Offer,
    lines: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<Agreement>, ExtensionError> {
    let mut accepted = None;
    for extension in lines.flat_map(Extensions::new) {
        let Extension { name, offer: response } = extension?;
        if name != PERMESSAGE_DEFLATE {
            return Err(ExtensionError::NotOffered);
        }
        if accepted.replace(agree(offer, &response?)?).is_some() {
            return Err(ExtensionError::AcceptedTwice);
        }
    }
    Ok(accepted)
}

/// Checks a response, which has the form of an offer, against the offer of the client.
fn agree(offer: &Offer, response: &Offer) -> Result<Agreement, ExtensionError> {
    if offer.server_no_context_takeover && !response.server_no_context_takeover {
        return Err(ExtensionError::ServerContextTakeover);
    }
    if let Some(limit) = offer.server_max_window_bits
        && response.server_max_window_bits.is_none_or(|bits| bits > limit)
    {
        return Err(ExtensionError::ServerWindow);
    }
    let client_max_window_bits = match (offer.client_max_window_bits, response.client_max_window_bits) {
        (_, ClientWindow::Any) => return Err(ExtensionError::ParameterValue), // §7.1.2.2
        (ClientWindow::Unnamed, ClientWindow::AtMost(_)) => return Err(ExtensionError::ClientWindow),
        (ClientWindow::AtMost(limit), ClientWindow::AtMost(bits)) if bits > limit => {
            return Err(ExtensionError::ClientWindow);
        }
        (_, ClientWindow::AtMost(bits)) | (ClientWindow::AtMost(bits), ClientWindow::Unnamed) => Some(bits),
        (ClientWindow::Unnamed | ClientWindow::Any, ClientWindow::Unnamed) => None,
    };
    Ok(Agreement {
        server_no_context_takeover: response.server_no_context_takeover,
        client_no_context_takeover: offer.client_no_context_takeover || response.client_no_context_takeover,
        server_max_window_bits: response.server_max_window_bits,
        client_max_window_bits,
    })
}
