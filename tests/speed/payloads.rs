//! Measures how fast payloads are unmasked and validated, relative to copying memory in the same
//! run: `cargo bench --bench payloads`. The benchmark asserts nothing and compares by ratios.

use std::hint::black_box;
use std::time::{Duration, Instant};

use barewire::protocol::websocket::frame::{FrameHeader, Opcode};
use barewire::protocol::websocket::message::{MessageLimits, Receiver, Role};
use barewire::protocol::websocket::utf8::Utf8;
use barewire::protocol::websocket::{ProtocolError, mask};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(60);

/// Returns the median speed of several rounds in GB/s.
fn speed(bytes: usize, mut work: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (start, mut times) = (Instant::now(), 0_u32);
            while start.elapsed() < ROUND {
                for _ in 0..16 {
                    work();
                }
                times += 16;
            }
            bytes as f64 * f64::from(times) / start.elapsed().as_secs_f64() / 1e9
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn main() {
    println!("{:<34} {:>10} {:>10} {:>14}", "payload", "bytes", "GB/s", "of memcpy");
    for bytes in [64 * 1024, 1024, 125] {
        let ascii = vec![b'a'; bytes];
        let greek: Vec<u8> = "λόγος ".bytes().cycle().take(bytes / 11 * 11).collect();
        // The buffer has another offset in its page than the source, because copies between equal
        // offsets are slow on many processors.
        let mut buffer = vec![0; bytes + 1344];
        let buffer = &mut buffer[1344..];
        let copy = speed(bytes, || black_box(&mut *buffer).copy_from_slice(black_box(&ascii)));
        let row =
            |name: &str, speed: f64| println!("{name:<34} {bytes:>10} {speed:>10.1} {:>14.2}", speed / copy);
        row("memcpy", copy);
        row("mask", speed(bytes, || mask::apply(KEY, 0, black_box(&mut *buffer))));
        row("mask, from an odd offset", speed(bytes, || mask::apply(KEY, 3, black_box(&mut *buffer))));
        row("mask, one byte at a time", speed(bytes, || mask::apply_plain(KEY, 0, black_box(&mut *buffer))));
        let check = |text: &[u8]| -> Result<(), ProtocolError> { Utf8::new().push(black_box(text)) };
        row("UTF-8, ASCII", speed(bytes, || check(&ascii).unwrap_or_default()));
        row("UTF-8, Greek", speed(greek.len(), || check(&greek).unwrap_or_default()));
        let mut frame = masked(&ascii);
        let original = frame.clone();
        row(
            "a frame, copied and received",
            speed(bytes, || {
                frame.copy_from_slice(&original);
                let limits = MessageLimits { message_bytes: 1 << 20, frames: 1 };
                let mut receiver = Receiver::new(Role::Server, limits);
                black_box(receiver.receive(black_box(&mut frame)).is_ok());
            }),
        );
    }
}

/// Returns a text message of a client in one frame.
fn masked(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let payload_length = payload.len() as u64;
    let masking_key = Some(KEY);
    FrameHeader { fin: true, rsv1: false, opcode: Opcode::Text, masking_key, payload_length }
        .encode(&mut frame);
    let start = frame.len();
    frame.extend_from_slice(payload);
    mask::apply(KEY, 0, &mut frame[start..]);
    frame
}
