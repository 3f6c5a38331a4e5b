//! The data of TCP in captured packets, as tcpdump and Wireshark show them.

/// The payload of a TCP segment.
pub struct Segment<'p> {
    /// The addresses and the ports, which name the connection and the direction.
    pub endpoints: [&'p [u8]; 2],
    pub payload: &'p [u8],
}

/// Returns the segment in a packet of IPv4 (RFC 791 §3.1) or IPv6 (RFC 8200 §3), with or without an
/// Ethernet header. Returns `None` if the packet is incomplete, or if its lengths do not agree.
pub fn segment(packet: &[u8]) -> Option<Segment<'_>> {
    match packet.get(12..14) {
        Some(&[0x08, 0x00] | &[0x86, 0xdd]) => of_ip(packet).or_else(|| of_ip(&packet[14..])),
        _ => of_ip(packet),
    }
}

fn of_ip(packet: &[u8]) -> Option<Segment<'_>> {
    const TCP: u8 = 6;
    let number = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
    let first = *packet.first()?;
    let (protocol, header, end, addresses) = match first >> 4 {
        // A fragment does not have all of the segment.
        4 if number(6)? & 0x3fff == 0 => {
            (*packet.get(9)?, usize::from(first & 15) * 4, usize::from(number(2)?), 12..20)
        }
        6 => (*packet.get(6)?, 40, 40 + usize::from(number(4)?), 8..40),
        _ => return None,
    };
    let segment = packet.get(header..end).filter(|_| protocol == TCP && header >= 20)?;
    let data_offset = usize::from(segment.get(12)? >> 4) * 4;
    let payload = segment.get(data_offset..).filter(|_| data_offset >= 20)?;
    Some(Segment { endpoints: [packet.get(addresses)?, segment.get(..4)?], payload })
}
