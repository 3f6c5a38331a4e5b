//! The endpoints of the server itself: the resources of `barewire serve`, for any application.

use super::{App, Response, metrics};
use crate::page;
use crate::transport::routes::Resource;

/// A resource of the server itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Endpoint {
    /// Whether the server accepts work: 200, or 503 while it shuts down.
    Health,
    /// The metrics in Prometheus' text format.
    Metrics,
    /// A WebSocket that sends every message back, for conformance tests.
    Echo,
    /// The observation of all connections, if the server has an observer.
    Wire,
}

/// The fields of the page's files besides those of every file.
const OF_PAGE: [(&str, &str); 4] = [
    ("Cache-Control", "no-cache"),
    ("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
];

impl App<()> {
    /// Returns the application that is `barewire serve`: its topics, its page, and every
    /// [`Endpoint`].
    pub fn standard() -> App<()> {
        let app = App::new(())
            .topics("/topics/")
            .endpoint("/health", Endpoint::Health)
            .endpoint("/metrics", Endpoint::Metrics)
            .endpoint("/echo", Endpoint::Echo)
            .endpoint("/wire", Endpoint::Wire);
        page::files().fold(app, |app, file| {
            app.serve(file.path, move || {
                let response = Response::content(file.kind, file.content.as_bytes());
                OF_PAGE.iter().fold(response, |response, (name, value)| response.field(name, *value))
            })
        })
    }
}

impl<S: 'static> App<S> {
    /// Adds a resource of the server itself.
    ///
    /// # Panics
    /// The path does not begin with `/`.
    #[must_use]
    pub fn endpoint(mut self, path: &'static str, endpoint: Endpoint) -> App<S> {
        match endpoint {
            Endpoint::Echo => drop(self.routes.add(path, Resource::Echo)),
            Endpoint::Wire => drop(self.routes.add(path, Resource::Wire)),
            Endpoint::Health => {
                return self.handle("GET", path, true, |cx, _| match cx.host.is_draining() {
                    false => Response::json(r#"{"status":"ok"}"#),
                    true => Response::json(r#"{"status":"draining"}"#).with_status(503),
                });
            }
            Endpoint::Metrics => {
                return self.handle("GET", path, true, |cx, _| {
                    let text = cx.host.metrics(metrics::write);
                    Response::content("text/plain; version=0.0.4; charset=utf-8", text.into_bytes())
                });
            }
        }
        self
    }

    /// Adds a resource that is the same for every request, also for one beyond a limit.
    pub(super) fn serve(self, path: &'static str, response: impl Fn() -> Response + 'static) -> App<S> {
        self.handle("GET", path, true, move |_, _| response())
    }
}
