//! Error details in a response body (RFC 9457).

use super::fields::write_decimal;
use super::status::Status;
use crate::protocol::json;

/// The media type of the body that [`write_problem`] writes (RFC 9457 §3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Appends a problem details object. `detail` is a sentence for people that says what went wrong.
///
/// The type is always `about:blank`: a program learns nothing beyond the status. RFC 9457 §4.2.1
/// then requires the reason phrase as the title.
pub fn write_problem(status: Status, detail: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":"about:blank","title":"#);
    json::write_string(status.reason(), out);
    out.extend_from_slice(br#","status":"#);
    write_decimal(u64::from(status.code()), out);
    out.extend_from_slice(br#","detail":"#);
    json::write_string(detail, out);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_an_object_with_four_members() {
        let mut out = Vec::new();
        write_problem(Status::BAD_REQUEST, "No \"a\".", &mut out);
        let expected = r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"No \"a\"."}"#;
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
