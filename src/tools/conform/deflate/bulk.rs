//! Sections 12 and 13: a thousand messages of each size, as in the Autobahn TestSuite.

use super::{data, of_suite};
use crate::protocol::websocket::deflate::{Deflater, LEVEL};
use crate::protocol::websocket::extension::{ClientWindow, Offer, ServerPreferences};
use crate::tools::conform::case::{Case, Cases, Endpoint, Requirement, Suite, pass};
use crate::tools::conform::trial::{Finding, Trial};
use crate::tools::conform::websocket::frame::{BINARY, Frame, TEXT, close, continuation};
use crate::tools::conform::websocket::opening::{Compression, open};
use crate::tools::conform::websocket::peer::{Item, Next, Peer};
use crate::tools::conform::websocket::request::{
    Answer, OpeningHead, ask, check_switched, expect_item, resource,
};

const ROUND_TRIP: Requirement = Requirement::must(
    7692,
    "7.2",
    "The receiver of a compressed message inflates the content that the sender compressed.",
);

const ECHOES: &str = "echoes all messages";

/// The number of messages in a case.
const MESSAGES: usize = 1000;

/// The total content of a case above which it is a long one, in bytes.
const LONG: usize = 1 << 20;

/// The sizes of the messages, and those of the frames; 0 stands for one frame.
const SIZES: [(usize, usize); 18] = [
    (16, 0),
    (64, 0),
    (256, 0),
    (1024, 0),
    (4096, 0),
    (8192, 0),
    (16_384, 0),
    (32_768, 0),
    (65_536, 0),
    (131_072, 0),
    (8192, 256),
    (16_384, 256),
    (32_768, 256),
    (65_536, 256),
    (131_072, 256),
    (131_072, 1024),
    (131_072, 4096),
    (131_072, 32_768),
];

/// A kind of data.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    opcode: u8,
    data: fn() -> &'static [u8],
}

const JSON: Kind = Kind { name: "JSON", opcode: TEXT, data: data::json };

/// The kinds in the order of Autobahn's section 12.
const KINDS: [Kind; 5] = [
    JSON,
    Kind { name: "an image", opcode: BINARY, data: data::image },
    Kind { name: "prose", opcode: BINARY, data: data::prose },
    Kind { name: "HTML", opcode: TEXT, data: data::html },
    Kind { name: "a PDF", opcode: BINARY, data: data::pdf },
];

/// What is negotiated: whether the sender of the offer asks the other side not to use the context,
/// and for a window.
#[derive(Clone, Copy)]
struct Request {
    no_context: bool,
    window_bits: Option<u8>,
}

impl Request {
    const fn new(no_context: bool, window_bits: Option<u8>) -> Self {
        Self { no_context, window_bits }
    }

    /// Returns the offer of the suite as a client. It lets the server restrict the client.
    const fn offer(self) -> Offer {
        Offer {
            server_no_context_takeover: self.no_context,
            client_no_context_takeover: true,
            server_max_window_bits: self.window_bits,
            client_max_window_bits: ClientWindow::Any,
        }
    }

    fn preferences(self) -> ServerPreferences {
        let default = ServerPreferences::default();
        ServerPreferences {
            client_no_context_takeover: self.no_context,
            client_max_window_bits: self.window_bits.unwrap_or(default.client_max_window_bits),
            ..default
        }
    }

    fn name(self) -> String {
        let context = if self.no_context { "no context takeover" } else { "context takeover" };
        match self.window_bits {
            Some(bits) => format!("{context}, {bits} window bits"),
            None => context.to_owned(),
        }
    }
}

const PLAIN: Request = Request::new(false, None);

/// The negotiations in the order of Autobahn's section 13. Several are offered at once, the
/// preferred one first.
const REQUESTS: [&[Request]; 7] = [
    &[PLAIN],
    &[Request::new(true, None)],
    &[Request::new(false, Some(9))],
    &[Request::new(false, Some(15))],
    &[Request::new(true, Some(9))],
    &[Request::new(true, Some(15))],
    &[Request::new(true, Some(9)), Request::new(true, None), PLAIN],
];

/// Returns the cases of both sections.
pub fn cases() -> Vec<Case> {
    let mut kinds = Cases::of(Suite::Deflate, 12, "a thousand messages of five kinds of data");
    for (at, kind) in KINDS.into_iter().enumerate() {
        add(&mut kinds, (12, at), kind, &[PLAIN], kind.name.to_owned());
    }
    let mut requests = Cases::of(Suite::Deflate, 13, "a thousand messages with each negotiation");
    for (at, requested) in REQUESTS.into_iter().enumerate() {
        let names: Vec<String> = requested.iter().map(|request| request.name()).collect();
        add(&mut requests, (13, at), JSON, requested, names.join("; or "));
    }
    kinds.into_vec().into_iter().chain(requests.into_vec()).collect()
}

fn add(
    cases: &mut Cases,
    (section, group): (u16, usize),
    kind: Kind,
    requests: &'static [Request],
    name: String,
) {
    for (at, (bytes, fragment)) in SIZES.into_iter().enumerate() {
        let frames = match fragment {
            0 => String::new(),
            fragment => format!(" in frames of {fragment}"),
        };
        let title = format!("{MESSAGES} messages of {bytes} bytes{frames}: {name}");
        let index = (group * SIZES.len() + at + 1) as u16;
        let bulk = Bulk { kind, bytes, fragment };
        let case =
            cases.add(index, title, ROUND_TRIP, &[pass(ECHOES)], move |trial| bulk.play(trial, requests));
        case.autobahn(format!("{section}.{}.{}", group + 1, at + 1));
        if bytes * MESSAGES > LONG {
            case.long();
        }
    }
}

/// The messages of a case.
#[derive(Clone, Copy)]
struct Bulk {
    kind: Kind,
    bytes: usize,
    fragment: usize,
}

impl Bulk {
    fn play(self, trial: &mut Trial, requests: &[Request]) -> Result<&'static str, Finding> {
        let mut peer = open_offering(trial, requests)?;
        peer.connection.stop_recording();
        let mut deflater = Deflater::new(of_suite(&peer), LEVEL);
        let data = (self.kind.data)();
        let (mut at, mut message, mut payload) = (0, Vec::new(), Vec::new());
        for number in 1..=MESSAGES {
            message.clear();
            while message.len() < self.bytes {
                let end = data.len().min(at + self.bytes - message.len());
                message.extend_from_slice(&data[at..end]);
                at = end % data.len();
            }
            payload.clear();
            deflater.compress(&message, &mut payload);
            peer.send(&self.frames(&payload))?;
            self.receive(trial, &mut peer, &message, number)?;
        }
        peer.send(&[close(1000, "")])?;
        let is_close = |item: &Item| matches!(item, Item::Close(None | Some(1000)));
        expect_item(trial, &mut peer, is_close, "a response to the close frame")?;
        Ok(ECHOES)
    }

    fn frames(self, payload: &[u8]) -> Vec<Frame> {
        let size = if self.fragment == 0 { payload.len() } else { self.fragment };
        let mut frames: Vec<Frame> = payload.chunks(size).map(continuation).map(Frame::part).collect();
        if let Some(first) = frames.first_mut() {
            (first.opcode, first.rsv) = (self.kind.opcode, super::RSV1);
        }
        if let Some(last) = frames.last_mut() {
            last.fin = true;
        }
        frames
    }

    fn receive(self, trial: &Trial, peer: &mut Peer, message: &[u8], number: usize) -> Result<(), Finding> {
        let observed = match peer.next(trial.deadline())? {
            Next::Item(Item::Text(echo)) if self.kind.opcode == TEXT && echo == message => return Ok(()),
            Next::Item(Item::Binary(echo)) if self.kind.opcode == BINARY && echo == message => return Ok(()),
            Next::Item(item) => item.to_string(),
            Next::Ended(end) => end.to_string(),
            Next::Quiet => "nothing in time".to_owned(),
        };
        let expected = format!("an echo of message {number}, of {} bytes", message.len());
        Err(Finding::failed(expected, observed).at(peer.connection.number(), peer.item_offset()))
    }
}

/// Opens a connection with one of the requests.
fn open_offering(trial: &mut Trial, requests: &[Request]) -> Result<Peer, Finding> {
    if trial.endpoint() == Endpoint::Client {
        let [first, ..] = requests else { return Err(Finding::NotApplicable("no request".into())) };
        let preferences = first.preferences();
        let peer = open(trial, Compression::Deflate { offer: Offer::default(), preferences })?;
        let agreement = peer.agreement().unwrap_or_default();
        let is_last_resort = requests.len() > 1;
        if !is_last_resort
            && agreement.client_max_window_bits.unwrap_or(15) > preferences.client_max_window_bits
        {
            let why = "the client does not let the server choose its window";
            return Err(Finding::NotApplicable(why.into()));
        }
        return Ok(peer);
    }
    let mut line = b"Sec-WebSocket-Extensions: ".to_vec();
    for (at, request) in requests.iter().enumerate() {
        line.extend_from_slice(if at > 0 { b", " } else { b"" });
        request.offer().write_offer(&mut line);
    }
    let request = OpeningHead::new(resource(trial)?).line(String::from_utf8_lossy(&line).into_owned());
    let (connection, answer) = ask(trial, &request)?;
    let agreement = match answer {
        Answer::Switched(head) => check_switched(&request, &head)?,
        Answer::Refused(head) => {
            return Err(Finding::failed("a response with status 101", format!("status {}", head.status)));
        }
        Answer::Ended(end) => return Err(Finding::failed("a response with status 101", end)),
    };
    match agreement {
        Some(agreement) => Ok(Peer::new(connection, Endpoint::Server, Some(agreement))),
        None => Err(Finding::NotApplicable("the server does not agree to this compression".into())),
    }
}
