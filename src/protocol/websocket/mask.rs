//! Masking (RFC 6455 §5.3): a client XORs each payload with a random key of four bytes.
//!
//! Masking hides nothing, because the header contains the key. It prevents a script in a page from
//! choosing the bytes on the wire, which an intermediary could mistake for an HTTP request (§10.3).

/// Masks or unmasks `bytes` in place; both are the same operation (RFC 6455 §5.3).
///
/// `offset` is the position of `bytes[0]` in the payload of the frame, in bytes. A payload can thus
/// be unmasked in parts, as they arrive.
pub fn apply(masking_key: [u8; 4], offset: usize, bytes: &mut [u8]) {
    let mut key = masking_key;
    key.rotate_left(offset % 4);
    // The key, repeated in one integer: the compiler turns this loop into the widest XOR
    // instructions of the machine, for any alignment of the payload.
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = bytes.as_chunks_mut();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    // A chunk is two keys long, so the rest starts at the first byte of the key.
    for (byte, key) in rest.iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// Masks or unmasks `bytes` as RFC 6455 §5.3 describes it: octet i is XORed with octet i modulo 4
/// of the key.
///
/// This version works byte by byte. It is slow and obviously correct; tests compare [`apply`] with
/// it.
pub fn apply_plain(masking_key: [u8; 4], offset: usize, bytes: &mut [u8]) {
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte ^= masking_key[(offset % 4 + index) % 4];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    /// The width of the widest vector registers, in bytes.
    const VECTOR: usize = 64;

    #[test]
    fn unmasks_the_example_of_the_rfc() {
        let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        apply(KEY, 0, &mut payload);
        assert_eq!(&payload, b"Hello");
    }

    #[test]
    fn equals_the_plain_version_at_every_length_offset_and_alignment() {
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
        fn a_payload_can_be_unmasked_in_parts(key: [u8; 4], bytes: Vec<u8>, cut: prop::sample::Index) {
            let at = cut.index(bytes.len() + 1);
            let (mut whole, mut parts) = (bytes.clone(), bytes);
            apply_plain(key, 0, &mut whole);
            apply(key, 0, &mut parts[..at]);
            apply(key, at, &mut parts[at..]);
            prop_assert_eq!(whole, parts);
        }
    }
}
