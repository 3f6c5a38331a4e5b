//! What an error's body says: problem details (RFC 9457).

use super::fields::write_decimal;
use super::response::Status;
use crate::protocol::json;

/// The media type of [`write_problem`]'s body (RFC 9457 §3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Appends a problem details object: what went wrong is `detail`, a sentence for people.
///
/// The type is `about:blank`, which says that the status tells all there is to tell a program;
/// then the title has to be the reason phrase (RFC 9457 §4.2.1).
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
    fn a_problem_is_one_object_of_four_members() {
        let mut out = Vec::new();
        write_problem(Status::BAD_REQUEST, "No \"a\".", &mut out);
        let expected = r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"No \"a\"."}"#;
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
