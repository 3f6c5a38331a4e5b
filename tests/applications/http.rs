//! Requests to a running example.

use serde_json::Value;
use ureq::http::{Request, Response};

/// A complete response.
pub struct Reply {
    pub status: u16,
    pub text: String,
    response: Response<()>,
}

impl Reply {
    /// Returns the value of a field, or an empty text if the response has no such field.
    pub fn field(&self, name: &str) -> &str {
        let value = self.response.headers().get(name);
        value.map_or("", |value| value.to_str().expect("the field is ASCII"))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("the content is JSON")
    }
}

pub fn get(url: &str, fields: &[(&str, &str)]) -> Reply {
    send("GET", url, fields, "")
}

pub fn post(url: &str, fields: &[(&str, &str)], content: &str) -> Reply {
    send("POST", url, fields, content)
}

pub fn send(method: &str, url: &str, fields: &[(&str, &str)], content: &str) -> Reply {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(content.to_owned()).expect("the request is valid");
    let (parts, mut body) = agent.run(request).expect("the example answers").into_parts();
    let text = body.read_to_string().expect("the content is UTF-8");
    Reply { status: parts.status.as_u16(), text, response: Response::from_parts(parts, ()) }
}
