//! Stage 1: bytes in, the same bytes out.

use std::thread;
use std::time::Duration;

use crate::tools::check::probe::{Probe, expect_bytes, read_exactly, read_to_end};
use crate::tools::check::stage::{Stage, Step, View};
use crate::tools::conform::trial::Finding;

pub const STAGE: Stage = Stage {
    name: "echo",
    task: "A TCP server that sends back every byte it receives, to any number of clients at once, and \
           closes a connection when its client has ended its side and has been sent everything.",
    example: "examples/01_tcp_echo.rs",
    read: "`Client::read` and `Client::flush`: short reads, short writes, and `WouldBlock`",
    view: View::Bytes,
    steps: &[
        Step {
            title: "sends back what it receives",
            why: "Everything else is built on a read and a write.",
            section: None,
            play: echoes,
        },
        Step {
            title: "serves a client while another is silent",
            why: "A server that waits in `read` for one client is dead for all others.",
            section: None,
            play: serves_two,
        },
        Step {
            title: "keeps the order of bytes that arrive in pieces",
            why: "TCP carries a stream of bytes, not messages: one write of the client may arrive as several \
                  reads, and several writes as one.",
            section: None,
            play: keeps_order,
        },
        Step {
            title: "sends back more than one buffer holds",
            why: "A write may accept only a part. The rest has to wait for the socket, and must not be lost.",
            section: None,
            play: echoes_much,
        },
        Step {
            title: "ends the connection after the client has",
            why: "A FIN closes one direction. The client has nothing more to send, but still reads.",
            section: None,
            play: ends,
        },
    ],
};

/// How long the echo of millions of bytes may take.
const MUCH_TIME: Duration = Duration::from_secs(10);

fn echoes(probe: &mut Probe) -> Result<(), Finding> {
    let mut connection = probe.connect()?;
    connection.send(b"hello\n")?;
    expect_bytes(b"hello\n", &read_exactly(&mut connection, 6, probe.promptly())?, "the echo")
}

fn serves_two(probe: &mut Probe) -> Result<(), Finding> {
    let _silent = probe.connect()?;
    let mut connection = probe.connect()?;
    connection.send(b"second\n")?;
    expect_bytes(b"second\n", &read_exactly(&mut connection, 7, probe.promptly())?, "the echo")
}

fn keeps_order(probe: &mut Probe) -> Result<(), Finding> {
    let mut connection = probe.connect()?;
    for byte in b"one byte at a time\n".chunks(1) {
        connection.send(byte)?;
        thread::sleep(Duration::from_millis(2));
    }
    connection.send(b"and the rest at once\n")?;
    let expected = b"one byte at a time\nand the rest at once\n";
    expect_bytes(expected, &read_exactly(&mut connection, expected.len(), probe.promptly())?, "the echo")
}

fn echoes_much(probe: &mut Probe) -> Result<(), Finding> {
    // More than the kernel's buffers of both sides accept while nobody reads.
    let bytes: Vec<u8> = (0..8_000_000_u32).map(|index| (index % 251) as u8).collect();
    let mut connection = probe.connect()?;
    connection.stop_recording();
    connection.send(&bytes)?;
    let echo = read_exactly(&mut connection, bytes.len(), probe.trial.after(MUCH_TIME))?;
    match bytes.iter().zip(&echo).position(|(sent, received)| sent != received) {
        None => Ok(()),
        Some(at) => {
            Err(Finding::failed("the bytes in their order", format!("another byte at position {at}")))
        }
    }
}

fn ends(probe: &mut Probe) -> Result<(), Finding> {
    let mut connection = probe.connect()?;
    connection.send(b"last words\n")?;
    connection.finish_sending();
    expect_bytes(b"last words\n", &read_to_end(&mut connection, probe.promptly())?, "the echo")?;
    // More than one read and one write: the FIN arrives while the echo is pending.
    let mut connection = probe.connect()?;
    connection.stop_recording();
    connection.send(&[b'x'; 2_000_000])?;
    connection.finish_sending();
    let echo = read_to_end(&mut connection, probe.trial.after(MUCH_TIME))?;
    match echo.len() {
        2_000_000 => Ok(()),
        length => {
            Err(Finding::failed("2000000 bytes, then the end", format!("{length} bytes, then the end")))
        }
    }
}
