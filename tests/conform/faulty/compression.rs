//! permessage-deflate: the negotiation, and the windows of both directions.

use barewire::protocol::websocket::ProtocolError;
use barewire::protocol::websocket::deflate::{Deflater, LEVEL};
use barewire::protocol::websocket::extension::{Agreement, Direction, ServerPreferences, negotiate};
use barewire::protocol::websocket::inflate::Inflater;

use super::Fault;
use super::connection::Connection;
use super::request::Request;

/// The agreed compression, and the field of the response.
pub struct Compression {
    agreement: Agreement,
    pub field: String,
    inflater: Inflater,
    deflater: Deflater,
}

impl Compression {
    /// Negotiates. The result is `None` without an acceptable offer.
    ///
    /// # Errors
    /// The field is not a list of extensions.
    pub fn negotiate(connection: &Connection, request: &Request) -> Result<Option<Compression>, String> {
        let lines = || request.all("sec-websocket-extensions");
        let agreed = negotiate(lines(), &ServerPreferences::default()).map_err(|error| error.to_string())?;
        let mut field = Vec::new();
        let agreement = match (agreed, lines().next()) {
            (Some(agreement), _) => {
                agreement.write_response(&mut field);
                agreement
            }
            (None, None) if connection.has(Fault::AcceptsWithoutOffer) => {
                field.extend_from_slice(b"permessage-deflate");
                Agreement::default()
            }
            (None, Some(offer))
                if connection.has(Fault::AcceptsUnknownParameter)
                    && offer.starts_with(b"permessage-deflate") =>
            {
                field.extend_from_slice(offer);
                Agreement::default()
            }
            (None, _) => return Ok(None),
        };
        let names_window = lines().any(|line| {
            let name = b"client_max_window_bits";
            line.windows(name.len()).any(|window| window == name)
        });
        if connection.has(Fault::LimitsUnnamedWindow) && !names_window {
            field.extend_from_slice(b"; client_max_window_bits=12");
        }
        let mut from_client = agreement.client_to_server();
        let mut to_client = agreement.server_to_client();
        if connection.has(Fault::InflaterForgets) {
            from_client.context_takeover = false;
        }
        if connection.has(Fault::DeflaterKeepsContext) {
            to_client.context_takeover = true;
        }
        if connection.has(Fault::IgnoresServerWindow) {
            to_client.max_window_bits = 15;
        }
        Ok(Some(Compression {
            agreement,
            field: String::from_utf8_lossy(&field).into_owned(),
            inflater: Inflater::new(from_client),
            deflater: Deflater::new(to_client, LEVEL),
        }))
    }

    /// Inflates a part of a message and passes what it gives to `sink`.
    pub fn inflate(
        &mut self,
        part: &[u8],
        sink: impl FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        self.inflater.inflate(part, sink)
    }

    /// Ends a message.
    pub fn finish(
        &mut self,
        sink: impl FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        self.inflater.finish(sink)
    }

    /// Starts with an empty window, because the inflater of an invalid message cannot be used.
    pub fn forget(&mut self) {
        let direction: Direction = self.agreement.client_to_server();
        self.inflater = Inflater::new(direction);
    }

    pub fn deflate(&mut self, message: &[u8]) -> Vec<u8> {
        let mut payload = Vec::new();
        self.deflater.compress(message, &mut payload);
        payload
    }
}
