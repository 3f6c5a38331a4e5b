//! A WebSocket receiver that makes a single pass over complete input (RFC 6455 §5, §8.1): without
//! splits, state, or the library.

/// A received message or control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// The receiver's role and limits.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub is_server: bool,
    pub message_bytes: usize,
    pub frames: usize,
}

/// Returns everything that `wire` contains, and the close code of the failure if it ends in one.
pub fn receive(wire: &[u8], setup: Setup) -> (Vec<Received>, Option<u16>) {
    let mut events = Vec::new();
    let failure = match frames(wire, setup, &mut events) {
        Ok(()) | Err(Stop::Ended) => None,
        Err(Stop::Failed(code)) => Some(code),
    };
    (events, failure)
}

enum Stop {
    Ended,
    Failed(u16),
}

const PROTOCOL_ERROR: Stop = Stop::Failed(1002);
const INVALID: Stop = Stop::Failed(1007);

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], Stop> {
    let (taken, after) = rest.split_at_checked(count).ok_or(Stop::Ended)?;
    *rest = after;
    Ok(taken)
}

fn demand(is_valid: bool) -> Result<(), Stop> {
    if is_valid { Ok(()) } else { Err(PROTOCOL_ERROR) }
}

fn frames(wire: &[u8], setup: Setup, events: &mut Vec<Received>) -> Result<(), Stop> {
    let mut rest = wire;
    // The message so far: whether it is text, its bytes, its number of frames.
    let mut message: Option<(bool, Vec<u8>, usize)> = None;
    loop {
        let first = take(&mut rest, 1)?[0];
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        let is_control = opcode >= 8;
        demand(first & 0x70 == 0 && matches!(opcode, 0..=2 | 8..=10) && (fin || !is_control))?;
        match (&mut message, opcode) {
            (Some((_, _, frames)), 0) if *frames >= setup.frames => return Err(Stop::Failed(1008)),
            (Some((_, _, frames)), 0) => *frames += 1,
            (Some(_), 1 | 2) | (None, 0) => return Err(PROTOCOL_ERROR),
            (None, 1 | 2) => message = Some((opcode == 1, Vec::new(), 1)),
            _ => {}
        }
        let second = take(&mut rest, 1)?[0];
        demand((second & 0x80 != 0) == setup.is_server)?;
        let length = match second & 0x7f {
            126.. if is_control => return Err(PROTOCOL_ERROR),
            126 => {
                let length = u64::from(u16::from_be_bytes(take(&mut rest, 2)?.try_into().expect("two")));
                demand(length > 125)?;
                length
            }
            127 => {
                demand(rest.first().is_none_or(|byte| *byte < 0x80) && !rest.starts_with(&[0; 6]))?;
                u64::from_be_bytes(take(&mut rest, 8)?.try_into().expect("eight"))
            }
            length => length.into(),
        };
        let key = if setup.is_server { take(&mut rest, 4)? } else { &[0; 4] };
        let mut payload = |most: usize| -> Vec<u8> {
            let (taken, after) = rest.split_at(most.min(rest.len()));
            rest = after;
            taken.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
        };
        if is_control {
            let payload = payload(length as usize);
            if (payload.len() as u64) < length {
                return Err(Stop::Ended);
            }
            match opcode {
                9 => events.push(Received::Ping(payload)),
                10 => events.push(Received::Pong(payload)),
                _ => {
                    events.push(Received::Close(close(&payload)?));
                    return Ok(());
                }
            }
            continue;
        }
        let Some((is_text, content, _)) = &mut message else { unreachable!("a data frame has a message") };
        if length > setup.message_bytes.saturating_sub(content.len()) as u64 {
            return Err(Stop::Failed(1009));
        }
        let part = payload(usize::try_from(length).unwrap_or(usize::MAX));
        content.extend_from_slice(&part);
        let is_complete = part.len() as u64 == length;
        let last = is_complete && fin;
        if *is_text
            && let Err(error) = std::str::from_utf8(content)
            && (last || error.error_len().is_some())
        {
            return Err(INVALID);
        }
        if !is_complete {
            return Err(Stop::Ended);
        }
        if last && let Some((is_text, content, _)) = message.take() {
            events.push(match is_text {
                true => Received::Text(String::from_utf8(content).expect("just checked")),
                false => Received::Binary(content),
            });
        }
    }
}

fn close(payload: &[u8]) -> Result<Option<(u16, String)>, Stop> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => return Err(PROTOCOL_ERROR),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    demand(matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999))?;
    let reason = String::from_utf8(reason.to_vec()).map_err(|_| INVALID)?;
    Ok(Some((code, reason)))
}
