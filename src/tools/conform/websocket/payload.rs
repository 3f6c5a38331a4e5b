//! Payloads of any length in which a byte that is lost, repeated or moved shows.

/// The letters of the texts. Their number is odd and no divisor of a buffer's size.
const LETTERS: &[u8; 37] = b"abcdefghijklmnopqrstuvwxyz0123456789 ";

/// Returns ASCII text of this length.
pub fn letters(length: usize) -> Vec<u8> {
    LETTERS.iter().copied().cycle().take(length).collect()
}

/// Returns bytes of this length, most of which are not UTF-8.
pub fn bytes(length: usize) -> Vec<u8> {
    // 251 is prime, so the pattern is at another place in each buffer.
    (0..251_u8).rev().cycle().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_utf_8_and_the_bytes_are_not() {
        assert!(std::str::from_utf8(&letters(1000)).is_ok());
        assert!(std::str::from_utf8(&bytes(1)).is_err());
        assert_eq!((letters(65_536).len(), bytes(65_536).len()), (65_536, 65_536));
    }
}
