//! How an application's resources become routes.

use crate::transport::routes::{Handler, Resource, Route, Routes};

/// The methods that a program can handle. `HEAD` and `OPTIONS` follow from them.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

impl Routes {
    /// Adds a resource of the server itself.
    pub(super) fn add(&mut self, path: &'static str, resource: Resource) -> &mut Route {
        assert!(path.starts_with('/'), "{path:?} is not a path: it must begin with /");
        for segment in path.split('/').filter(|segment| segment.contains(['{', '}'])) {
            let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            let is_name = name.is_some_and(|name| !name.is_empty() && !name.contains(['{', '}']));
            assert!(
                is_name,
                "{segment:?} in {path:?} is not a parameter: it must be a whole segment {{name}}"
            );
        }
        let is_prefix = path.ends_with('/');
        assert!(resource != Resource::Topics || is_prefix, "{path:?} is not a prefix: it must end with /");
        let allow = match resource {
            Resource::Topics => "GET, HEAD, POST, OPTIONS",
            _ => "GET, OPTIONS",
        };
        let route = Route { path, resource, handlers: Vec::new(), socket: None, allow: allow.into() };
        // A path without parameters goes before all patterns, so that it is found first.
        let patterns = self.0.iter().position(|route| route.path.contains('{'));
        let at = patterns.filter(|_| !path.contains('{')).unwrap_or(self.0.len());
        self.0.insert(at, route);
        &mut self.0[at]
    }

    /// Adds a handler of the application.
    pub(super) fn add_handler(&mut self, path: &'static str, handler: Handler) {
        let method = handler.method;
        assert!(METHODS.contains(&method), "{method} is not one of {METHODS:?}");
        let route = self.of_application(path);
        assert!(route.handler(method).is_none(), "{method} {path} has a handler already");
        route.handlers.push(handler);
        route.update_allow();
    }

    /// Adds a kind of WebSocket of the application.
    pub(super) fn add_socket(&mut self, path: &'static str, number: u16) {
        let route = self.of_application(path);
        assert!(route.socket.is_none(), "{path} has a WebSocket already");
        route.socket = Some(number);
        route.update_allow();
    }

    fn of_application(&mut self, path: &'static str) -> &mut Route {
        let is_same = |route: &Route| route.path == path && route.resource == Resource::Application;
        match self.0.iter().position(is_same) {
            Some(at) => &mut self.0[at],
            None => self.add(path, Resource::Application),
        }
    }
}

impl Route {
    fn update_allow(&mut self) {
        let handles = |method: &str| self.handler(method).is_some();
        let is_allowed = |method: &str| match method {
            "GET" => handles("GET") || self.socket.is_some(),
            "OPTIONS" => true,
            method => handles(method),
        };
        let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let allow: Vec<&str> = methods.into_iter().filter(|method| is_allowed(method)).collect();
        self.allow = allow.join(", ").into();
    }
}
