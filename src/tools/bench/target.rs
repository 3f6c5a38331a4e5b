//! The target that the arguments describe.

use super::args::Args;
use super::config::{
    BenchConfig, BurstAs, CeilingTarget, PublishTarget, ServerTarget, Workload, is_websocket,
};
use super::event_tag::TAG_LENGTH;
use super::result::{BenchError, Run};
use super::template::RequestTemplate;
use crate::client::follow::Transport;
use crate::protocol::websocket::frame::MAX_CONTROL_PAYLOAD;
use crate::tools::load::Child;

/// The URLs of a server.
struct Urls {
    url: String,
    /// The URL of a long poll's first request, if it differs.
    first: Option<String>,
    publish: Option<String>,
}

impl Urls {
    /// Returns the URLs of a barewire server.
    fn of_child(config: &BenchConfig, child: &Child) -> Self {
        let topic = format!("http://{}/topics/bench", child.address());
        match (config.workload, config.via) {
            (Workload::Echo, _) => {
                Self { url: format!("http://{}/echo", child.address()), first: None, publish: None }
            }
            (_, Transport::LongPoll) => Self {
                url: format!("{topic}?since={{cursor}}&wait=60"),
                first: Some(format!("{topic}?since=now")),
                publish: Some(topic),
            },
            _ => Self { url: topic.clone(), first: None, publish: Some(topic) },
        }
    }

    /// Returns the URLs from the arguments. Publishing defaults to the URL without its query.
    fn of_args(args: &Args) -> Self {
        let url = args.url.clone().unwrap_or_default();
        let topic = url.split('?').next().unwrap_or_default().replacen("ws://", "http://", 1);
        let publish = Some(args.publish.clone().unwrap_or(topic));
        Self { url, first: args.first_url.clone(), publish }
    }
}

/// Returns the server that the arguments name, or `child` if one was started.
///
/// # Errors
/// [`BenchError::Unreachable`] if a host has no address.
pub fn server(args: &Args, child: Option<&Child>) -> Result<ServerTarget, BenchError> {
    let config = &args.config;
    let urls = child.map_or_else(|| Urls::of_args(args), |child| Urls::of_child(config, child));
    let template = |url: &str, fields: &[(String, String)]| {
        RequestTemplate::new(url, fields).map_err(BenchError::Unreachable)
    };
    let publish = match urls.publish.filter(|_| config.workload == Workload::FanOut) {
        None => None,
        Some(url) => {
            let request = template(&url, &args.publish_fields)?;
            Some(if is_websocket(&url) {
                PublishTarget::WebSocket(request)
            } else {
                PublishTarget::Post(request)
            })
        }
    };
    Ok(ServerTarget {
        request: template(&urls.url, &args.fields)?,
        first_request: template(urls.first.as_deref().unwrap_or(&urls.url), &args.fields)?,
        cursor: args.cursor.clone().into(),
        publish,
        processes: child.map_or_else(|| args.processes.clone(), |child| vec![child.process()]),
    })
}

/// Returns the bare program as a target. Its messages have the size of those that the server sent
/// and received in `run`. If no server is measured, their size is estimated from the protocol.
pub fn ceiling(config: &BenchConfig, child: &Child, run: Option<&Run>) -> CeilingTarget {
    let average = |bytes: u64, count: u64| bytes.div_ceil(count.max(1)) as usize;
    // RFC 6455 §5.2: the length field has 0, 2 or 8 additional bytes.
    let header = match config.size {
        0..=MAX_CONTROL_PAYLOAD => 2,
        126..=0xffff => 4,
        _ => 10,
    };
    let (size, request_size) = match (config.workload, run) {
        (Workload::Echo, _) => (header + 4 + config.size, 0),
        (Workload::FanOut, Some(run)) => {
            // A client that long polls sends a request after each response.
            let events_each = match config.burst_as {
                BurstAs::Sequential => 1,
                BurstAs::Pipelined | BurstAs::Batch => config.burst.max(1) as u64,
            };
            let responses = run.events.unwrap_or_default() / events_each;
            let request_size = average(run.bytes_up, responses * config.connections as u64);
            let is_long_poll = config.via == Transport::LongPoll;
            (average(run.bytes_down, run.done), if is_long_poll { request_size } else { 0 })
        }
        (Workload::FanOut, None) => match config.via {
            // A response head and some JSON; a request.
            Transport::LongPoll | Transport::ShortPoll => (config.size + 250, 100),
            // A chunk, an id, and `data: `.
            Transport::EventStream => (config.size + 40, 0),
            Transport::WebSocket => (config.size + header, 0),
        },
        (_, Some(run)) => (average(run.bytes_up.max(run.bytes_down), run.done), 0),
        (_, None) => (config.size, 0),
    };
    let least = if config.workload == Workload::FanOut { TAG_LENGTH } else { 1 };
    CeilingTarget {
        address: child.address(),
        processes: vec![child.process()],
        size: size.max(least),
        request_size,
    }
}
