//! Messages, pings and the closing handshake over a socket (RFC 6455 §5 to §7).

use std::net::Shutdown;
use std::time::{Duration, Instant};

use barewire::client::{Error, Message, Misuse, Request};
use barewire::protocol::websocket::ProtocolError;
use barewire::protocol::websocket::close::CloseCode;
use barewire::protocol::websocket::frame::Opcode;

use crate::scripted::{Frame, open};

fn text(text: &str) -> Message {
    Message::Text(text.to_owned())
}

#[test]
fn masks_each_frame_with_a_new_key() {
    let (mut client, server) =
        open(&Request::default(), |mut peer| (0..300).map(|_| peer.frame()).collect::<Vec<_>>());
    let large = vec![0xA5; 200_000];
    client.send_text("héllo").unwrap();
    client.send_binary(&large).unwrap();
    client.ping(b"there?").unwrap();
    for _ in 3..300 {
        client.send_text("").unwrap();
    }
    let frames = server.join().unwrap();
    let sent = |frame: &Frame| (frame.opcode, frame.payload.clone());
    assert_eq!(sent(&frames[0]), (Opcode::Text, "héllo".as_bytes().to_vec()));
    assert_eq!(sent(&frames[1]), (Opcode::Binary, large));
    assert_eq!(sent(&frames[2]), (Opcode::Ping, b"there?".to_vec()));
    let mut keys: Vec<_> = frames.iter().map(|frame| frame.masking_key.expect("§5.1")).collect();
    keys.sort_unstable();
    keys.dedup();
    // Two of 300 random 32-bit keys are equal once in 100,000 runs. Three pairs practically never
    // are.
    assert!(keys.len() >= 298, "{} keys", keys.len());
}

#[test]
fn replies_to_pings_between_and_inside_messages() {
    let (mut client, server) = open(&Request::default(), |mut peer| {
        peer.send_frame(Opcode::Ping, b"1");
        peer.send(b"\x01\x01a\x89\x012\x80\x01b"); // a ping between two fragments
        peer.send_frame(Opcode::Pong, b"unasked");
        [peer.frame(), peer.frame()].map(|frame| (frame.opcode, frame.payload))
    });
    assert_eq!(client.read().unwrap(), text("ab"));
    assert_eq!(client.read().unwrap(), Message::Pong(b"unasked".to_vec()));
    let pongs = server.join().unwrap();
    assert_eq!(pongs, [(Opcode::Pong, b"1".to_vec()), (Opcode::Pong, b"2".to_vec())]);
}

#[test]
fn replies_to_a_close_with_its_code_and_lets_the_server_end_tcp() {
    let (mut client, server) = open(&Request::default(), |mut peer| {
        peer.send_close(CloseCode::GOING_AWAY);
        let code = peer.close_code();
        let first = peer.has_ended();
        peer.stream.shutdown(Shutdown::Write).unwrap();
        (code, first, peer.has_ended())
    });
    assert_eq!(client.read().unwrap(), Message::Close(Some((CloseCode::GOING_AWAY, "bye".to_owned()))));
    assert_eq!(server.join().unwrap(), (Some(CloseCode::GOING_AWAY), false, true));
    for over in [client.read().map(|_| ()), client.send_text("late"), client.ping(b"")] {
        assert!(matches!(over, Err(Error::Misuse(Misuse::Closed))), "{over:?}");
    }
}

#[test]
fn replies_to_a_close_without_a_code_without_one() {
    let (mut client, server) = open(&Request::default(), |mut peer| {
        peer.send_frame(Opcode::Close, b"");
        peer.close_code()
    });
    assert_eq!(client.read().unwrap(), Message::Close(None));
    assert_eq!(server.join().unwrap(), None);
}

#[test]
fn drops_messages_that_arrive_while_it_closes() {
    let (client, server) = open(&Request::default(), |mut peer| {
        peer.send_frame(Opcode::Text, b"meanwhile");
        peer.send_frame(Opcode::Ping, b"no pong follows");
        let code = peer.close_code();
        peer.send_close(CloseCode::NORMAL);
        (code, peer.has_ended())
    });
    let reply = client.close(CloseCode(4000), &"long ".repeat(100)).unwrap();
    assert_eq!(reply, Some((CloseCode::NORMAL, "bye".to_owned())));
    assert_eq!(server.join().unwrap(), (Some(CloseCode(4000)), false));
}

#[test]
fn waits_for_a_close_frame_no_longer_than_its_timeout() {
    let request = Request { close_timeout: Duration::from_millis(300), ..Request::default() };
    let (client, server) = open(&request, |mut peer| {
        peer.close_code();
        // The server continues to send and never closes.
        while std::io::Write::write_all(&mut peer.stream, b"\x81\x04more").is_ok() {}
    });
    let started = Instant::now();
    assert!(matches!(client.close(CloseCode::NORMAL, ""), Err(Error::TimedOut)));
    assert!(started.elapsed() >= Duration::from_millis(300));
    server.join().unwrap();
}

#[test]
fn reports_a_protocol_violation_in_a_close_frame() {
    for (bytes, error) in [
        (&b"\x81\x81\0\0\0\0a"[..], ProtocolError::MaskedServerFrame),
        (b"\x80\x00", ProtocolError::ContinuationOutsideMessage),
        (b"\xC1\x00", ProtocolError::Rsv1WithoutExtension),
        (b"\x81\x01\xFF", ProtocolError::InvalidUtf8),
        (b"\x82\x7F\0\0\0\0\x7F\xFF\xFF\xFF", ProtocolError::MessageTooBig),
    ] {
        let (mut client, server) = open(&Request::default(), move |mut peer| {
            peer.send(bytes);
            peer.close_code()
        });
        match client.read() {
            Err(Error::Protocol(reported)) => assert_eq!(reported, error),
            other => panic!("{other:?}"),
        }
        assert_eq!(server.join().unwrap(), Some(error.close_code()));
        assert!(matches!(client.send_text(""), Err(Error::Misuse(Misuse::Closed))));
    }
}

#[test]
fn a_read_that_times_out_loses_nothing() {
    let request = Request { read_timeout: Some(Duration::from_millis(100)), ..Request::default() };
    let (mut client, server) = open(&request, |mut peer| {
        peer.send(b"\x81\x05Hel");
        peer.frame(); // the ping that the client sends after its timeout
        peer.send(b"lo");
        peer.frame();
    });
    assert!(matches!(client.read(), Err(Error::TimedOut)));
    client.ping(b"").unwrap();
    assert_eq!(client.read().unwrap(), text("Hello"));
    client.ping(b"").unwrap();
    server.join().unwrap();
}

#[test]
fn returns_what_arrived_before_the_end_first() {
    let (mut client, server) = open(&Request::default(), |mut peer| {
        peer.send(b"\x81\x01a\x89\x00\x81\x01b");
        peer.send_close(CloseCode::NORMAL);
        // The script ends here, and with it the connection, before any pong.
    });
    server.join().unwrap();
    assert_eq!(client.read().unwrap(), text("a"));
    assert_eq!(client.read().unwrap(), text("b"));
    assert!(matches!(client.read().unwrap(), Message::Close(Some(_))));

    let (mut client, server) = open(&Request::default(), |mut peer| peer.send(b"\x81\x01a\x81\x05b"));
    server.join().unwrap();
    assert_eq!(client.read().unwrap(), text("a"));
    assert!(matches!(client.read(), Err(Error::Ended)));
}

#[test]
fn a_write_to_a_server_that_does_not_read_times_out() {
    let request = Request { write_timeout: Some(Duration::from_millis(200)), ..Request::default() };
    let (mut client, server) = open(&request, |peer| peer);
    let kept = server.join().unwrap();
    assert!(matches!(client.send_binary(&vec![0; 64 << 20]), Err(Error::TimedOut)));
    assert!(matches!(client.send_text(""), Err(Error::Misuse(Misuse::Closed))));
    drop(kept);
}

#[test]
fn rejects_calls_that_would_send_invalid_frames() {
    let (mut client, server) = open(&Request::default(), |mut peer| peer.has_ended());
    assert!(matches!(client.ping(&[0; 126]), Err(Error::Misuse(Misuse::PayloadTooLong))));
    assert!(matches!(client.close(CloseCode(1005), ""), Err(Error::Misuse(Misuse::ForbiddenCode))));
    assert!(server.join().unwrap(), "TCP ends without a frame");
}
