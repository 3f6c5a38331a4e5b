//! Masking (RFC 6455 §5.3): a client XORs its payloads with four bytes that it draws anew for each frame.
//!
//! It hides nothing, the key stands in the header. It keeps a page's script from choosing the bytes on
//! the wire, which a proxy could otherwise be made to take for an HTTP request (§10.3).

/// Masks or unmasks `bytes` in place; the two are the same operation (RFC 6455 §5.3).
///
/// `offset` is the position, in bytes, of `bytes[0]` within the frame's payload, so that a payload can be
/// unmasked piece by piece as it arrives.
pub fn apply(masking_key: [u8; 4], offset: usize, bytes: &mut [u8]) {
    let mut key = masking_key;
    key.rotate_left(offset % 4);
    // Two keys side by side as one number: the compiler makes of this loop the widest XORs that the machine
    // has, wherever in memory the payload happens to start.
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (steps, rest) = bytes.as_chunks_mut();
    for step in steps {
        *step = (u64::from_ne_bytes(*step) ^ wide).to_ne_bytes();
    }
    // A step is two keys long, so the rest begins with the key's first byte again.
    for (byte, key) in rest.iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// [`apply`] as the RFC writes it: octet i is XORed with octet i modulo 4 of the key.
///
/// Byte by byte, so slow and plainly right: what [`apply`] is tested against.
pub fn apply_plain(masking_key: [u8; 4], offset: usize, bytes: &mut [u8]) {
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte ^= masking_key[(offset % 4 + at) % 4];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    /// Bytes of the widest vector registers there are.
    const VECTOR: usize = 64;

    #[test]
    fn unmasks_the_rfcs_hello() {
        let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        apply(KEY, 0, &mut payload);
        assert_eq!(&payload, b"Hello");
    }

    #[test]
    fn is_the_plain_version_at_every_length_offset_and_alignment() {
        let bytes: Vec<u8> = (0..=255).cycle().take(5 * VECTOR).collect();
        for length in 0..4 * VECTOR {
            for offset in [0, 1, 2, 3, 4, 7, usize::MAX - 1, usize::MAX] {
                for start in 0..VECTOR / 2 {
                    let (mut fast, mut plain) = (bytes.clone(), bytes.clone());
                    apply(KEY, offset, &mut fast[start..start + length]);
                    apply_plain(KEY, offset, &mut plain[start..start + length]);
                    assert_eq!(fast, plain, "{length} bytes at {start}, offset {offset}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_payload_can_be_unmasked_in_pieces(key: [u8; 4], bytes: Vec<u8>, cut: prop::sample::Index) {
            let at = cut.index(bytes.len() + 1);
            let (mut whole, mut pieces) = (bytes.clone(), bytes);
            apply_plain(key, 0, &mut whole);
            apply(key, 0, &mut pieces[..at]);
            apply(key, at, &mut pieces[at..]);
            prop_assert_eq!(whole, pieces);
        }
    }
}
