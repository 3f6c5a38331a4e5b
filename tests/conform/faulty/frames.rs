//! Reading and writing frames (RFC 6455 §5.2), each rule with the fault that switches it off.

use std::io;
use std::time::{Duration, Instant};

use barewire::protocol::websocket::mask;

use super::Fault;
use super::connection::Connection;

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

pub const NORMAL: u16 = 1000;
pub const PROTOCOL_ERROR: u16 = 1002;
pub const INVALID_PAYLOAD: u16 = 1007;
pub const TOO_BIG: u16 = 1009;

/// How long a server with [`Fault::AnswersAfterViolation`] goes on after the violation.
const AFTERMATH: Duration = Duration::from_millis(300);
/// How long the next bytes may take.
const IDLE: Duration = Duration::from_secs(30);

/// Why the WebSocket ends.
pub enum End {
    /// A close frame arrived; its code is echoed.
    Closed(Option<u16>),
    /// The peer broke a rule; the close frame has this code.
    Failed(u16),
    /// The connection is gone, or is over without another frame.
    Gone,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        End::Gone
    }
}

pub struct Header {
    pub fin: bool,
    pub rsv: u8,
    pub opcode: u8,
    pub key: Option<[u8; 4]>,
    pub length: u64,
}

impl Header {
    pub fn is_control(&self) -> bool {
        self.opcode >= 8
    }

    pub fn is_reserved(&self) -> bool {
        matches!(self.opcode, 3..=7 | 11..=15)
    }
}

/// The frames of a connection.
pub struct Frames<'c> {
    pub connection: &'c mut Connection,
    /// RSV1 means a compressed message.
    pub is_compressed: bool,
    /// The end of everything, if the server goes on although the WebSocket is over.
    aftermath: Option<Instant>,
}

impl<'c> Frames<'c> {
    pub fn new(connection: &'c mut Connection, is_compressed: bool) -> Frames<'c> {
        Frames { connection, is_compressed, aftermath: None }
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.connection.has(fault)
    }

    /// Fails the connection, unless this rule holds or the fault switches it off.
    pub fn require(&mut self, holds: bool, unless: Fault, code: u16) -> Result<(), End> {
        if holds || self.has(unless) { Ok(()) } else { self.fail(code) }
    }

    /// Fails the connection (§7.1.7), unless the server goes on after a violation.
    pub fn fail(&mut self, code: u16) -> Result<(), End> {
        if !self.has(Fault::AnswersAfterViolation) {
            return Err(End::Failed(code));
        }
        if self.aftermath.is_none() {
            self.start_aftermath();
            self.write(true, 0, CLOSE, &code.to_be_bytes())?;
        }
        Ok(())
    }

    /// Goes on for a short time.
    pub fn start_aftermath(&mut self) {
        self.aftermath = Some(Instant::now() + AFTERMATH);
    }

    pub fn is_in_aftermath(&self) -> bool {
        self.aftermath.is_some()
    }

    /// Reads a header and checks it.
    pub fn header(&mut self) -> Result<Header, End> {
        let [first, second] = self.take()?;
        let (fin, rsv, opcode) = (first & 0x80 != 0, first >> 4 & 7, first & 0x0f);
        let mut header = Header { fin, rsv, opcode, key: None, length: u64::from(second & 0x7f) };
        self.check_rsv(&header)?;
        self.require(!header.is_reserved(), Fault::AcceptsReservedOpcodes, PROTOCOL_ERROR)?;
        let is_control = header.is_control();
        // §5.5: control frames are not fragmented, and have at most 125 bytes.
        self.require(!is_control || fin, Fault::AcceptsFragmentedControls, PROTOCOL_ERROR)?;
        self.require(!is_control || header.length <= 125, Fault::AcceptsLongControls, PROTOCOL_ERROR)?;
        // §5.1: the frames of a client are masked.
        let is_masked = second & 0x80 != 0;
        self.require(is_masked, Fault::AcceptsUnmaskedFrames, PROTOCOL_ERROR)?;
        header.length = self.length(header.length)?;
        if is_masked {
            header.key = Some(self.take()?);
        }
        Ok(header)
    }

    /// Checks the RSV bits (§5.2; RFC 7692 §6).
    fn check_rsv(&mut self, header: &Header) -> Result<(), End> {
        let is_start = matches!(header.opcode, TEXT | BINARY);
        let rest = if self.is_compressed && is_start { header.rsv & 3 } else { header.rsv };
        match (header.rsv, header.opcode) {
            (4, CONTINUATION) if self.is_compressed => {
                self.require(false, Fault::AcceptsRsv1OnContinuation, PROTOCOL_ERROR)
            }
            (4, 8..) if self.is_compressed => {
                self.require(false, Fault::AcceptsRsv1OnControl, PROTOCOL_ERROR)
            }
            _ => self.require(rest == 0, Fault::AcceptsReservedBits, PROTOCOL_ERROR),
        }
    }

    /// Reads the extended length, if the seven bits announce one.
    fn length(&mut self, seven_bits: u64) -> Result<u64, End> {
        match seven_bits {
            126 => {
                let length = u64::from(u16::from_be_bytes(self.take()?));
                self.require(length > 125, Fault::AcceptsLongLengths, PROTOCOL_ERROR)?;
                Ok(length)
            }
            127 => {
                let length = u64::from_be_bytes(self.take()?);
                self.require(length > 0xffff, Fault::AcceptsLongLengths, PROTOCOL_ERROR)?;
                self.require(length >> 63 == 0, Fault::IgnoresTopBitOfLength, PROTOCOL_ERROR)?;
                Ok(length & u64::MAX >> 1)
            }
            length => Ok(length),
        }
    }

    /// Reads the next bytes of a payload, at least one; `offset` is their position in it.
    pub fn payload(&mut self, header: &Header, offset: u64) -> Result<Vec<u8>, End> {
        if self.connection.received.is_empty() {
            self.read()?;
        }
        let left = usize::try_from(header.length - offset).unwrap_or(usize::MAX);
        let length = left.min(self.connection.received.len());
        let mut part: Vec<u8> = self.connection.received.drain(..length).collect();
        if let Some(key) = header.key {
            mask::apply(key, offset as usize, &mut part);
        }
        Ok(part)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], End> {
        while self.connection.received.len() < N {
            self.read()?;
        }
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.connection.received[..N]);
        self.connection.received.drain(..N);
        Ok(bytes)
    }

    fn read(&mut self) -> io::Result<()> {
        let deadline = self.aftermath.unwrap_or_else(|| Instant::now() + IDLE);
        self.connection.read_until(deadline)
    }

    /// Writes a frame.
    pub fn write(&mut self, fin: bool, rsv: u8, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let is_masked = self.has(Fault::MasksItsFrames);
        let mut frame = vec![u8::from(fin) << 7 | rsv << 4 | opcode];
        let mask_bit = if is_masked { 0x80 } else { 0 };
        match payload.len() {
            length @ ..=125 => frame.push(mask_bit | length as u8),
            length @ ..=0xffff => {
                frame.push(mask_bit | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                frame.push(mask_bit | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        if is_masked {
            // A key of zeros masks nothing.
            frame.extend_from_slice(&[0; 4]);
        }
        frame.extend_from_slice(payload);
        self.connection.write(&frame)
    }
}
