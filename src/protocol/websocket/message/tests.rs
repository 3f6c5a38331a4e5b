use super::*;

const LIMITS: MessageLimits = MessageLimits { message_bytes: 1 << 30, frames: 3 };

fn server() -> Receiver {
    Receiver::new(Role::Server, LIMITS)
}

#[test]
fn a_payload_that_arrives_at_once_is_not_copied() {
    for first in [0x81, 0x82, 0x89, 0x8A] {
        let mut header = [first, 0x83, 1, 2, 3, 4];
        let mut payload = *b"\x60\x60\x60";
        let mut frame = [&header[..], &payload].concat();
        let place = frame[6..].as_ptr();
        let mut receiver = server();
        let (consumed, event) = receiver.receive(&mut frame).unwrap();
        let event = event.unwrap();
        let (MessageEvent::Binary(bytes) | MessageEvent::Ping(bytes) | MessageEvent::Pong(bytes)) = event
        else {
            let MessageEvent::Text(text) = event else { panic!("{event:?}") };
            assert_eq!((consumed, text, text.as_ptr()), (9, "abc", place));
            continue;
        };
        assert_eq!((consumed, bytes, bytes.as_ptr()), (9, &b"abc"[..], place));

        // The payload is not copied either when the header arrived earlier.
        assert_eq!(receiver.receive(&mut header), Ok((6, None)));
        let place = payload.as_ptr();
        match receiver.receive(&mut payload).unwrap() {
            (
                3,
                Some(MessageEvent::Binary(bytes) | MessageEvent::Ping(bytes) | MessageEvent::Pong(bytes)),
            ) => {
                assert_eq!((bytes, bytes.as_ptr()), (&b"abc"[..], place));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn memory_grows_with_received_bytes_and_is_freed_with_the_message() {
    let mut receiver = server();
    // The header announces 512 MiB; three bytes arrive.
    let mut header = *b"\x82\xFF\x00\x00\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00";
    assert_eq!(receiver.receive(&mut header), Ok((14, None)));
    assert!(matches!(receiver.message, Message::Idle));
    assert_eq!(receiver.receive(&mut [1, 2, 3]), Ok((3, None)));
    let Message::Receiving { content: Content::Binary(bytes), .. } = &receiver.message else {
        panic!("{receiver:?}")
    };
    assert!(bytes.capacity() < 100);

    let mut receiver = server();
    let mut message = *b"\x02\x81\x00\x00\x00\x00a\x80\x81\x00\x00\x00\x00b";
    assert_eq!(receiver.receive(&mut message), Ok((14, Some(MessageEvent::Binary(b"ab")))));
    assert!(receiver.is_idle());
    assert_eq!(receiver.receive(&mut []), Ok((0, None)));
    assert!(matches!(receiver.message, Message::Idle));
}

#[test]
fn is_idle_only_when_no_state_would_be_lost() {
    let mut receiver = server();
    assert!(receiver.is_idle());
    for byte in *b"\x01\x80\x00\x00\x00\x00\x89\x81\x00\x00\x00\x00p\x80\x81\x00\x00\x00\x00" {
        receiver.receive(&mut [byte]).unwrap();
        assert!(!receiver.is_idle());
    }
    receiver.receive(b"e".to_vec().as_mut_slice()).unwrap();
    assert!(receiver.is_idle());
    receiver.receive(b"\x88\x80\x00\x00\x00\x00".to_vec().as_mut_slice()).unwrap();
    assert!(!receiver.is_idle());
}

#[test]
fn fails_at_the_byte_that_breaks_a_rule() {
    use ProtocolError::*;
    for (bytes, error) in [
        (&b"\xC1"[..], Rsv1WithoutExtension),
        (b"\xA1", ReservedBit),
        (b"\x80", ContinuationOutsideMessage),
        (b"\x81\x05", UnmaskedClientFrame),
        (b"\x01\x80\0\0\0\0\x02", InterleavedMessages),
        (b"\x01\x80\0\0\0\0\x00\x80\0\0\0\0\x00\x80\0\0\0\0\x00", TooManyFrames),
        (b"\x81\xFF\0\0\0\0\x40\0\0\x01\0\0\0\0", MessageTooBig),
        (b"\x81\xFE\x7F\xFF\0\0\0\0ab\xED\xA0", InvalidUtf8),
    ] {
        let (last, before) = bytes.split_last().unwrap();
        let mut receiver = server();
        assert_eq!(receiver.receive(before.to_vec().as_mut_slice()), Ok((before.len(), None)), "{error}");
        assert_eq!(receiver.receive(&mut [*last]), Err(error));
        assert_eq!(receiver.receive(&mut [0x81, 0x80]), Ok((2, None)), "ignored after {error}");
    }
    let mut client = Receiver::new(Role::Client, LIMITS);
    assert_eq!(client.receive(&mut [0x81]), Ok((1, None)));
    assert_eq!(client.receive(&mut [0x80]), Err(MaskedServerFrame));
}
