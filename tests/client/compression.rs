//! permessage-deflate in the client (RFC 7692).

use std::io::Write;

use barewire::client::{Error, Message, Request};
use barewire::protocol::websocket::ProtocolError;
use barewire::protocol::websocket::close::CloseCode;
use barewire::protocol::websocket::deflate::{Deflater, LEVEL};
use barewire::protocol::websocket::extension::{Agreement, ClientWindow, Offer};
use barewire::protocol::websocket::frame::{Opcode, write_compressed_frame};
use barewire::protocol::websocket::inflate::Inflater;

use crate::scripted::{Frame, Peer, connect};

/// Decompresses the payload of a frame.
fn inflated(inflater: &mut Inflater, frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    let mut sink = |piece: &[u8]| -> Result<(), ProtocolError> {
        out.write_all(piece).map_err(|_| ProtocolError::InvalidDeflate)
    };
    inflater.inflate(&frame.payload, &mut sink).unwrap();
    inflater.finish(&mut sink).unwrap();
    out
}

fn agree(peer: &mut Peer, agreement: &Agreement) {
    let mut field = b"Sec-WebSocket-Extensions: ".to_vec();
    agreement.write_response(&mut field);
    let response = peer.response(&format!("{}\r\n", field.escape_ascii()));
    peer.send(response);
}

/// Sends the same text three times to a server that echoes it and returns the lengths of the
/// payloads.
fn three_times(offer: Offer, agreement: Agreement) -> [usize; 3] {
    let text: String = (0..2000).map(|number| format!("{} ", number * number)).collect();
    let request = Request { deflate: Some(offer), ..Request::default() };
    let expected = text.clone();
    let (client, server) = connect(&request, move |mut peer| {
        agree(&mut peer, &agreement);
        let mut inflater = Inflater::new(agreement.client_to_server());
        let mut deflater = Deflater::new(agreement.server_to_client(), LEVEL);
        let lengths = [(); 3].map(|()| {
            let frame = peer.frame();
            assert_eq!((frame.opcode, frame.rsv1), (Opcode::Text, true));
            assert_eq!(inflated(&mut inflater, &frame), expected.as_bytes());
            let (mut payload, mut bytes) = (Vec::new(), Vec::new());
            deflater.compress(expected.as_bytes(), &mut payload);
            write_compressed_frame(Opcode::Text, &payload, &mut bytes);
            peer.send(bytes);
            frame.payload.len()
        });
        let close = peer.frame();
        assert_eq!((close.opcode, close.rsv1), (Opcode::Close, false), "RFC 7692 §6.1");
        peer.send_close(CloseCode::NORMAL);
        lengths
    });
    let mut client = client.unwrap();
    assert_eq!(client.agreement(), Some(&agreement));
    for _ in 0..3 {
        client.send_text(&text).unwrap();
        assert_eq!(client.read().unwrap(), Message::Text(text.clone()));
    }
    client.close(CloseCode::NORMAL, "").unwrap();
    server.join().unwrap()
}

#[test]
fn context_takeover_shortens_repeated_messages() {
    let offer = Request::default().deflate.unwrap();
    let [first, second, third] = three_times(offer, Agreement::default());
    assert!(first > 4000 && second < 200 && third < 200, "{first}, {second}, {third} bytes");
}

#[test]
fn no_context_takeover_is_respected() {
    let offer = Request::default().deflate.unwrap();
    let agreement = Agreement {
        client_no_context_takeover: true,
        server_no_context_takeover: true,
        client_max_window_bits: Some(9),
        server_max_window_bits: Some(15),
    };
    let [first, second, third] = three_times(offer, agreement);
    assert!(first > 4000 && first == second && second == third, "{first}, {second}, {third} bytes");
}

#[test]
fn the_offer_binds_the_client_even_if_the_server_does_not_mention_it() {
    let offer = Offer {
        client_no_context_takeover: true,
        client_max_window_bits: ClientWindow::AtMost(10),
        ..Offer::default()
    };
    let expected = Agreement {
        client_no_context_takeover: true,
        client_max_window_bits: Some(10),
        ..Agreement::default()
    };
    let request = Request { deflate: Some(offer), ..Request::default() };
    let (client, server) = connect(&request, |mut peer| agree(&mut peer, &Agreement::default()));
    assert_eq!(client.unwrap().agreement(), Some(&expected));
    server.join().unwrap();
}

#[test]
fn nothing_is_compressed_unless_both_sides_agree() {
    for deflate in [None, Request::default().deflate] {
        let request = Request { deflate, ..Request::default() };
        let (client, server) = connect(&request, move |mut peer| {
            assert_eq!(peer.request.contains("permessage-deflate"), deflate.is_some());
            let response = peer.response("");
            peer.send(response);
            let frame = peer.frame();
            peer.send(b"\xC1\x01\0");
            (frame.rsv1, frame.payload, peer.close_code())
        });
        let mut client = client.unwrap();
        assert_eq!(client.agreement(), None);
        client.send_text("plain").unwrap();
        assert!(matches!(client.read(), Err(Error::Protocol(ProtocolError::Rsv1WithoutExtension))));
        assert_eq!(server.join().unwrap(), (false, b"plain".to_vec(), Some(CloseCode::PROTOCOL_ERROR)));
    }
}

#[test]
fn a_decompression_bomb_is_a_message_that_is_too_big() {
    let (client, server) = connect(&Request::default(), |mut peer| {
        agree(&mut peer, &Agreement::default());
        let (mut payload, mut bytes) = (Vec::new(), Vec::new());
        Deflater::new(Agreement::default().server_to_client(), LEVEL)
            .compress(&vec![0; 64 << 20], &mut payload);
        write_compressed_frame(Opcode::Binary, &payload, &mut bytes);
        peer.send(bytes);
        peer.close_code()
    });
    assert!(matches!(client.unwrap().read(), Err(Error::Protocol(ProtocolError::MessageTooBig))));
    assert_eq!(server.join().unwrap(), Some(CloseCode::MESSAGE_TOO_BIG));
}
