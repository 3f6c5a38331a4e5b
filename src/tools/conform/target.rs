//! The endpoint under test: where a server has its resources, or how a client is started.

use std::net::{SocketAddr, ToSocketAddrs};

use super::suite::{Endpoint, Suite};
use crate::client::Url;
use crate::tools::cursor_place::{CursorPlace, write_encoded};

/// The endpoint under test.
pub enum Target {
    Server(Box<ServerTarget>),
    Client(ClientTarget),
}

impl Target {
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::Server(_) => Endpoint::Server,
            Self::Client(_) => Endpoint::Client,
        }
    }
}

/// A client under test.
pub struct ClientTarget {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The command that starts the client, with `{url}` where it takes the URL. Without a command,
    /// the client chooses the cases as Autobahn's clients do.
    pub run: Option<String>,
}

/// The resources of a server under test, as far as they are known.
#[derive(Default)]
pub struct ServerTarget {
    /// A resource that answers GET.
    pub get: Option<Template>,
    /// A resource that accepts any content with POST.
    pub post: Option<Template>,
    /// A WebSocket that echoes messages.
    pub websocket: Option<Template>,
    /// An event stream.
    pub stream: Option<Template>,
    /// A resource to poll.
    pub poll: Option<Template>,
    /// How events are published.
    pub publish: Option<Publish>,
    /// Where a response to a poll has the cursor of the next.
    pub cursor: Option<CursorPlace>,
}

impl ServerTarget {
    /// Returns whether the suite has what it needs.
    pub fn supports(&self, suite: Suite) -> bool {
        match suite {
            Suite::Http => self.get.is_some(),
            Suite::WebSocket | Suite::Deflate => self.websocket.is_some(),
            Suite::Sse => self.stream.is_some(),
            Suite::LongPoll => self.poll.as_ref().is_some_and(Template::has_wait) && self.publish.is_some(),
            Suite::ShortPoll => self.poll.is_some(),
        }
    }

    /// Returns the first address, to check that the server can be reached.
    pub fn any_address(&self) -> Option<SocketAddr> {
        let templates = [&self.get, &self.websocket, &self.stream, &self.poll];
        templates.into_iter().flatten().map(|template| template.address).next()
    }
}

/// How an event is published.
pub struct Publish {
    pub method: String,
    pub to: Template,
}

/// A URL with placeholders: `{topic}` is a name that differs from case to case, `{cursor}` the
/// cursor of a poll and `{wait}` the seconds that it may be held. A poll that is not held leaves
/// out the parameter that contains `{wait}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The first address of the URL's host.
    pub address: SocketAddr,
    /// The value of `Host`.
    pub authority: String,
    target: String,
}

/// The values of the placeholders.
#[derive(Clone, Copy, Debug, Default)]
pub struct Values<'v> {
    pub topic: &'v str,
    pub cursor: &'v str,
    /// The seconds that a long poll may be held; `None` for a short poll.
    pub wait: Option<&'v str>,
}

impl Template {
    /// Parses a URL with placeholders, and resolves its host.
    ///
    /// # Errors
    /// A message for the user: the URL is invalid, or its host has no address.
    pub fn parse(url: &str) -> Result<Self, String> {
        let Url { authority, host, port, target } =
            Url::parse(url).map_err(|error| format!("{url:?}: {error}"))?;
        let address = (&*host, port).to_socket_addrs().map_err(|error| format!("{host}: {error}"))?.next();
        let address = address.ok_or_else(|| format!("{host} has no address"))?;
        Ok(Self { address, authority, target })
    }

    /// Returns the request target with these values in place of the placeholders.
    pub fn target(&self, values: Values<'_>) -> String {
        let mut cursor = Vec::new();
        write_encoded(values.cursor, &mut cursor);
        let target = match values.wait {
            Some(wait) => self.target.replace("{wait}", wait),
            None => without_wait(&self.target),
        };
        // The encoded cursor is ASCII.
        target.replace("{topic}", values.topic).replace("{cursor}", &String::from_utf8_lossy(&cursor))
    }

    fn has_wait(&self) -> bool {
        self.target.contains("{wait}")
    }
}

/// Returns the target without the parameters of its query that contain `{wait}`.
fn without_wait(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.replace("{wait}", "0") };
    let kept: Vec<&str> = query.split('&').filter(|parameter| !parameter.contains("{wait}")).collect();
    match kept.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", kept.join("&")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_poll_is_a_long_one_without_its_parameter() {
        let template = Template::parse("http://127.0.0.1:1/{topic}?since={cursor}&wait={wait}");
        let template = template.expect("a valid URL");
        let mut values = Values { topic: "t", cursor: "a&1", wait: Some("5") };
        assert_eq!(template.target(values), "/t?since=a%261&wait=5");
        values.wait = None;
        assert_eq!(template.target(values), "/t?since=a%261");
        assert_eq!(without_wait("/t?wait={wait}"), "/t");
    }
}
