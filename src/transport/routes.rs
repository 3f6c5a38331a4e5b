//! The routes of a server: which resource is at which path, and what it allows.

use std::rc::Rc;

/// The methods that a program can handle. `HEAD` and `OPTIONS` follow from them.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

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
struct Handler {
    method: &'static str,
    number: u16,
    /// The handler is called although a limit is reached, or the server is shutting down.
    is_always_called: bool,
}

/// One path, or one form of paths.
pub struct Route {
    path: &'static str,
    /// What is at the path.
    pub resource: Resource,
    handlers: Vec<Handler>,
    /// The number of the kind of WebSocket that is at the path.
    pub socket: Option<u16>,
    /// The value of the field `Allow` (RFC 9110 §10.2.1).
    pub allow: Rc<str>,
}

impl Route {
    fn new(path: &'static str, resource: Resource, allow: &str) -> Route {
        Route { path, resource, handlers: Vec::new(), socket: None, allow: allow.into() }
    }

    /// Returns the rest of the path, if the route is for it: the part after a prefix.
    fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self.resource {
            Resource::Topics => path.strip_prefix(self.path),
            _ if path == self.path => Some(""),
            Resource::Application if self.path.contains('{') => matches(self.path, path).then_some(""),
            _ => None,
        }
    }

    /// Returns the number of the handler for a method, and whether it is always called.
    pub fn handler(&self, method: &str) -> Option<(u16, bool)> {
        let method = if method == "HEAD" { "GET" } else { method };
        let handler = self.handlers.iter().find(|handler| handler.method == method)?;
        Some((handler.number, handler.is_always_called))
    }

    fn update_allow(&mut self) {
        let mut allow: Vec<&str> = self.handlers.iter().map(|handler| handler.method).collect();
        if allow.contains(&"GET") {
            allow.push("HEAD");
        } else if self.socket.is_some() {
            allow.push("GET");
        }
        allow.sort_by_key(|method| ["GET", "HEAD"].iter().position(|first| first == method).unwrap_or(2));
        allow.push("OPTIONS");
        self.allow = allow.join(", ").into();
    }
}

/// Returns whether each segment of a path equals that of the pattern, or stands for a parameter.
fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let all = pattern.split('/').all(|wanted| {
        let is_parameter = wanted.starts_with('{');
        segments
            .next()
            .is_some_and(|segment| if is_parameter { !segment.is_empty() } else { segment == wanted })
    });
    all && segments.next().is_none()
}

/// All routes, in the order in which they were added.
#[derive(Default)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// Returns the first route for a path, and the rest of the path after a prefix.
    pub fn find<'p>(&self, path: &'p str) -> Option<(&Route, &'p str)> {
        self.0.iter().find_map(|route| route.rest(path).map(|rest| (route, rest)))
    }

    /// Adds a resource of the server itself.
    ///
    /// # Panics
    /// The path does not begin with `/`, or that of topics does not end with it.
    pub fn add(&mut self, path: &'static str, resource: Resource) {
        assert!(path.starts_with('/'), "{path:?} is not a path: it must begin with /");
        let allow = match resource {
            Resource::Topics => "GET, HEAD, POST, OPTIONS",
            _ => "GET, OPTIONS",
        };
        assert!(
            resource != Resource::Topics || path.ends_with('/'),
            "{path:?} is not a prefix: it must end with /"
        );
        self.0.push(Route::new(path, resource, allow));
    }

    /// Adds a handler of the application.
    ///
    /// # Panics
    /// The path does not begin with `/`, or the method cannot be handled or has a handler already.
    pub fn add_handler(
        &mut self,
        method: &'static str,
        path: &'static str,
        number: u16,
        is_always_called: bool,
    ) {
        assert!(METHODS.contains(&method), "{method} is not one of {METHODS:?}");
        let route = self.of_application(path);
        assert!(route.handler(method).is_none(), "{method} {path} has a handler already");
        route.handlers.push(Handler { method, number, is_always_called });
        route.update_allow();
    }

    /// Adds a kind of WebSocket of the application.
    ///
    /// # Panics
    /// The path does not begin with `/`, or has a WebSocket already.
    pub fn add_socket(&mut self, path: &'static str, number: u16) {
        let route = self.of_application(path);
        assert!(route.socket.is_none(), "{path} has a WebSocket already");
        route.socket = Some(number);
        route.update_allow();
    }

    fn of_application(&mut self, path: &'static str) -> &mut Route {
        let is_same = |route: &Route| route.path == path && route.resource == Resource::Application;
        let at = self.0.iter().position(is_same).unwrap_or_else(|| {
            self.add(path, Resource::Application);
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}
