//! The memory of the wire view: it is counted, it has a bound, and no connection is closed for it.

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::rc::Rc;

use barewire::server::{Observer, Options, Sender};
use barewire::simulation::Simulation;
use barewire::tools::serve::{WireBounds, WireOptions, WireView};
use barewire::transport::Purpose;
use barewire::wire::record::Reader;

use super::outputs::Temporary;
use crate::harness::{Opcode, eventually, masked_frame};

/// A view whose memory is compared with a bound after every call.
struct Checked {
    view: WireView,
    bound: usize,
    /// The memory after the last call, and the most so far.
    memory: Rc<Cell<[usize; 2]>>,
}

impl Checked {
    fn check(&self) {
        let memory = self.view.memory();
        assert!(memory <= self.bound, "{memory} bytes are more than {}", self.bound);
        self.memory.set([memory, memory.max(self.memory.get()[1])]);
    }
}

impl Observer for Checked {
    fn is_active(&self) -> bool {
        self.view.is_active()
    }

    fn begin_iteration(&mut self) {
        self.view.begin_iteration();
    }

    fn opened(&mut self, connection: u32) {
        self.view.opened(connection);
        self.check();
    }

    fn has_purpose(&mut self, connection: u32, purpose: Purpose) {
        self.view.has_purpose(connection, purpose);
        self.check();
    }

    fn passed(&mut self, connection: u32, sender: Sender, bytes: &mut dyn Iterator<Item = &[u8]>) {
        self.view.passed(connection, sender, bytes);
        self.check();
    }

    fn closed(&mut self, connection: u32) {
        self.view.closed(connection);
        self.check();
    }

    fn memory(&self) -> usize {
        self.view.memory()
    }

    fn end_iteration(&mut self, is_followed: bool, publish: &mut dyn FnMut(&str)) {
        self.view.end_iteration(is_followed, publish);
        self.check();
    }
}

/// Returns a server with this bound on the memory of its connections, and the memory of its view.
fn watched(buffered_bytes: usize, record: Option<&Temporary>) -> (Simulation, Rc<Cell<[usize; 2]>>) {
    let mut options = Options { buffered_bytes, ..Options::default() };
    options.policy.access.loopback_only = true;
    let wire = WireOptions {
        record: record.map(|file| file.0.clone()),
        bounds: WireBounds::of_share(buffered_bytes),
        ..WireOptions::default()
    };
    let view = WireView::new(&wire).expect("a temporary file");
    let memory = Rc::new(Cell::new([0; 2]));
    let checked = Checked { view, bound: buffered_bytes / 4, memory: Rc::clone(&memory) };
    (Simulation::new(options, 1).observed_by(Box::new(checked)), memory)
}

fn buffered(server: &mut Simulation) -> usize {
    let peer = server.connect();
    server.send(peer, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let metrics = String::from_utf8(server.take(peer)).expect("UTF-8");
    server.reset(peer);
    let line = metrics.lines().find_map(|line| line.strip_prefix("barewire_buffered_bytes "));
    line.expect("the metric").parse().expect("a number")
}

const HANDSHAKE: &[u8] = b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn the_metric_of_buffered_bytes_counts_what_the_view_holds() {
    let (mut server, _) = watched(256 << 20, None);
    let viewer = server.connect();
    server.send(viewer, b"GET /wire HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let before = buffered(&mut server);
    let peer = server.connect();
    let head = format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: {}", "a".repeat(10_000));
    server.send(peer, head.as_bytes());
    // The server and the view hold a copy each, in buffers that grow by doubling.
    let held = buffered(&mut server) - before;
    assert!((2 * head.len()..4 * head.len()).contains(&held), "{held}");
    server.reset(peer);
    let after = buffered(&mut server);
    assert!(after < before + head.len(), "{before} {after}");
}

#[test]
fn the_view_holds_nothing_while_nobody_watches() {
    let (mut server, memory) = watched(256 << 20, None);
    let viewer = server.connect();
    server.send(viewer, b"GET /wire HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let peer = server.connect();
    server.send(peer, b"GET /health HTTP/1.1\r\nX-A: incomplete");
    assert!(memory.get()[0] > 0);
    server.reset(viewer);
    assert_eq!(memory.get()[0], 0);
}

#[test]
fn no_connection_is_closed_for_the_memory_of_the_view() {
    const BUFFERED: usize = 16 << 20;
    const CLIENTS: usize = 600;
    let file = Temporary::new("share");
    let (mut server, memory) = watched(BUFFERED, Some(&file));
    let viewer = server.connect();
    server.send(viewer, b"GET /wire HTTP/1.1\r\nHost: localhost\r\n\r\n");
    // The server holds 9 MB of incomplete heads. With as much for the view, 16 MiB are exceeded.
    let head = format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: {}", "a".repeat(15_000));
    let clients: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
    for client in &clients {
        server.send(*client, head.as_bytes());
    }
    assert!(memory.get()[0] > BUFFERED / 16, "the view uses its share");
    for client in &clients {
        server.send(*client, b"\r\n\r\n");
        assert!(server.take(*client).starts_with(b"HTTP/1.1 200 OK\r\n"), "a connection was closed");
    }
    let shown = String::from_utf8(server.take(viewer)).expect("UTF-8");
    assert!(shown.contains("\"spans\":[],\"lost\":"), "the clients of /wire are told");
    for client in clients {
        server.reset(client);
    }
    drop(server);
    let last = format!("bytes of connection {} are missing.", CLIENTS + 1);
    let mut recording = String::new();
    eventually(|| {
        recording = fs::read_to_string(&file.0).expect("the recording");
        recording.contains(&last)
    });
    let stopped = recording.matches("is not recorded any further: watching has used").count();
    let missing = recording.matches(" are missing.").count();
    assert!(stopped > 0 && stopped < CLIENTS && missing == stopped, "{stopped} {missing}");
    assert!(Reader::new(recording.as_bytes()).all(|block| block.is_ok()));
}

#[test]
fn a_flood_to_outputs_that_nobody_reads_stays_within_the_share() {
    for buffered_bytes in [1 << 20, 16 << 20] {
        let pipe = Temporary::pipe(&format!("flood-{buffered_bytes}"));
        let (mut server, memory) = watched(buffered_bytes, Some(&pipe));
        let viewer = server.connect();
        server.send(viewer, b"GET /wire HTTP/1.1\r\nHost: localhost\r\n\r\n");
        server.set_room(viewer, 0);
        let clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
        let pings = masked_frame(true, Opcode::Ping, b"").repeat(5000);
        let message = masked_frame(true, Opcode::Binary, &[0xff; 100_000]);
        for client in &clients {
            server.send(*client, HANDSHAKE);
            for flood in [&pings, &message, &pings, &message] {
                server.send(*client, flood);
                server.take(*client);
            }
        }
        assert!(memory.get()[1] > buffered_bytes / 16, "{:?}", memory.get());
        for client in clients {
            assert!(!server.has_ended(client), "a connection was closed");
        }
    }
}

/// While clients follow the view, others send frames of a hundred bytes that inflate to 64 KiB. The
/// events of the view wait for their delivery in the view. In the log, they would make all
/// publishers wait.
#[cfg(feature = "deflate")]
#[test]
fn a_flood_that_the_view_cannot_show_does_not_fill_the_log() {
    let mut options = Options { buffered_bytes: 16 << 20, ..Options::default() };
    options.hub.window_bytes = 8 << 20;
    options.policy.access.loopback_only = true;
    let bounds = WireBounds::of_share(options.buffered_bytes);
    let view = WireView::new(&WireOptions { bounds, ..WireOptions::default() }).expect("no file is written");
    let mut server = Simulation::new(options, 1).observed_by(Box::new(view));
    let viewers: Vec<_> = (0..10).map(|_| server.connect()).collect();
    for viewer in &viewers {
        server.send(*viewer, b"GET /wire HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    deflate.write_all(&[b'a'; 65_536]).expect("memory");
    // A byte follows a last block (RFC 7692 §7.2.3.4).
    let payload = [deflate.finish().expect("memory"), vec![0]].concat();
    let mut frame = masked_frame(true, Opcode::Text, &payload);
    frame[0] |= 0x40;
    let handshake = String::from_utf8_lossy(HANDSHAKE).replace("/echo", "/topics/zip");
    let offer = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let handshake = handshake.replace("\r\n\r\n", offer);
    let clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for client in &clients {
        server.send(*client, handshake.as_bytes());
    }
    server.pause();
    for client in &clients {
        server.queue(*client, &frame.repeat(150));
    }
    let (mut most, mut shown) = (0, Vec::new());
    while server.step() {
        most = server.log_memory().0.max(most);
        shown.extend(server.take(viewers[0]));
    }
    assert!((7 << 20..(8 << 20) + (512 << 10)).contains(&most), "{most} bytes of events");
    let shown = String::from_utf8_lossy(&shown);
    assert!(shown.contains("\"spans\":[],\"lost\":"), "the client learns what is not shown");
}
