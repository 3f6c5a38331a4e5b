//! The routes of a server: which resource is at which path, and what it allows.

use std::rc::Rc;

/// What is at a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    /// All topics: the rest of the path is a name.
    Topics,
    /// A WebSocket that echoes.
    Echo,
    /// The observation of all connections.
    Wire,
    /// Handlers and a kind of WebSocket of the application.
    Application,
}

/// A handler of the application.
#[derive(Clone, Copy)]
pub struct Handler {
    /// The method. A handler of `GET` also answers `HEAD`.
    pub method: &'static str,
    /// The number by which the application knows the handler.
    pub number: u16,
    /// The handler is called although a limit is reached, or the server is shutting down.
    pub is_always_called: bool,
}

/// One path, or all paths of one form.
pub struct Route {
    /// The path, the prefix of topics, or a pattern with `{name}` for any one segment.
    pub path: &'static str,
    /// What is there.
    pub resource: Resource,
    /// The handlers, by method.
    pub handlers: Vec<Handler>,
    /// The number of the kind of WebSocket that is there.
    pub socket: Option<u16>,
    /// The value of the field `Allow` (RFC 9110 §10.2.1).
    pub allow: Rc<str>,
}

impl Route {
    /// Returns the rest of a path if the route is for it: the part after a prefix.
    fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self.resource {
            Resource::Topics => path.strip_prefix(self.path),
            _ => (path == self.path || self.path.contains('{') && matches(self.path, path)).then_some(""),
        }
    }

    /// Returns the handler for a method.
    pub fn handler(&self, method: &str) -> Option<Handler> {
        let method = if method == "HEAD" { "GET" } else { method };
        self.handlers.iter().find(|handler| handler.method == method).copied()
    }
}

/// Returns whether each segment of a path equals that of the pattern, or stands for a parameter.
fn matches(pattern: &str, path: &str) -> bool {
    let is_parameter = |segment: &str| segment.starts_with('{');
    let mut segments = path.split('/');
    let mut is_next = |wanted: &str| match segments.next() {
        Some(segment) => segment == wanted || is_parameter(wanted) && !segment.is_empty(),
        None => false,
    };
    pattern.split('/').all(&mut is_next) && segments.next().is_none()
}

/// All routes. The first one that matches a path counts.
#[derive(Default)]
pub struct Routes(pub Vec<Route>);

impl Routes {
    /// Returns the route for a path, and the rest of the path after a prefix.
    pub fn find<'p>(&self, path: &'p str) -> Option<(&Route, &'p str)> {
        self.0.iter().find_map(|route| route.rest(path).map(|rest| (route, rest)))
    }
}
