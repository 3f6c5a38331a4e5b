//! The paths besides the topics: health, metrics, and unknown paths and methods.

use std::collections::HashSet;

use crate::harness::{Request, in_every_mode};

#[test]
fn health_responds_ok() {
    in_every_mode(|server| {
        let response = server.request(&Request::get("/health"));
        assert_eq!((response.status, response.get("Content-Type")), (200, Some("application/json")));
        assert_eq!(response.json()["status"], "ok");
        let head = server.request(&Request::head("/health"));
        assert_eq!((head.status, head.get("Content-Length")), (200, response.get("Content-Length")));
    });
}

#[test]
fn metrics_are_prometheus_text() {
    in_every_mode(|server| {
        server.publish("/topics/a", "x");
        let response = server.request(&Request::get("/metrics"));
        assert_eq!(response.status, 200);
        assert!(
            response.get("Content-Type").is_some_and(|kind| kind.starts_with("text/plain; version=0.0.4"))
        );
        assert!(response.text().ends_with('\n'));
        let (mut helped, mut typed, mut values) = (HashSet::new(), HashSet::new(), HashSet::new());
        let mut histograms = HashSet::new();
        for line in response.text().lines() {
            let is_name = |name: &str| {
                !name.starts_with(|first: char| first.is_ascii_digit())
                    && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
            };
            if let Some(help) = line.strip_prefix("# HELP ") {
                assert!(helped.insert(help.split_once(' ').expect("a name and a text").0), "{line}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a name and a type");
                assert!(matches!(kind, "counter" | "gauge" | "histogram") && typed.insert(name), "{line}");
                histograms.extend((kind == "histogram").then_some(name));
            } else {
                let (series, value) = line.rsplit_once(' ').expect("a series and a value");
                let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
                assert!(is_name(name) && value.parse::<f64>().is_ok() && values.insert(series), "{line}");
                let labels = labels.strip_suffix('}').expect("the end of the labels");
                for label in labels.split(',').filter(|label| !label.is_empty()) {
                    let (name, value) = label.split_once("=\"").expect("a label and its value");
                    assert!(is_name(name) && value.find('"') == Some(value.len() - 1), "{line}");
                }
                let ends = ["_bucket", "_sum", "_count"];
                let of_histogram = ends.iter().find_map(|end| name.strip_suffix(end));
                let name = of_histogram.filter(|name| histograms.contains(name)).unwrap_or(name);
                assert!(typed.contains(name) && helped.contains(name), "{line}");
            }
        }
        assert!(values.len() > 5);
        assert_eq!(server.metric("barewire_events_published_total"), 1);
    });
}

#[test]
fn an_unknown_path_is_404() {
    in_every_mode(|server| {
        for target in ["/nowhere", "/topics", "/health/", "/ECHO", "/topics/a/b"] {
            let response = server.request(&Request::get(target));
            assert!(matches!(response.status, 404 | 400), "{target}");
            response.assert_problem(response.status);
        }
        server.request(&Request::get("/nowhere")).assert_problem(404);
        server.request(&Request::post("/nowhere", "x")).assert_problem(404);
    });
}

#[test]
fn a_known_path_with_another_method_is_405_and_lists_the_allowed_methods() {
    in_every_mode(|server| {
        for (target, known, others) in [
            ("/topics/a", &["GET", "HEAD", "POST"][..], &["PUT", "DELETE", "PATCH", "TRACE"][..]),
            ("/health", &["GET", "HEAD"], &["POST", "PUT", "DELETE"]),
            ("/metrics", &["GET", "HEAD"], &["POST", "PUT"]),
            ("/echo", &["GET"], &["POST", "PUT"]),
        ] {
            for method in others {
                let response = server.request(&Request::new(method, target));
                response.assert_problem(405);
                let allow: Vec<&str> = response.get("Allow").expect("Allow").split(", ").collect();
                assert!(known.iter().all(|known| allow.contains(known)), "{target}: {allow:?}");
                assert!(!allow.contains(method), "{target}: {allow:?}");
            }
        }
    });
}

#[test]
fn an_unknown_method_is_501() {
    in_every_mode(|server| {
        for method in ["BREW", "get", "GETS"] {
            server.request(&Request::new(method, "/health")).assert_problem(501);
        }
    });
}

#[test]
fn an_absolute_target_is_the_same_as_its_path() {
    in_every_mode(|server| {
        server.publish("http://localhost/topics/a?event=b", "x");
        assert_eq!(server.request(&Request::get("http://localhost:80/topics/a")).data(), ["x"]);
    });
}

#[test]
fn every_response_has_a_date() {
    in_every_mode(|server| {
        for request in [Request::get("/health"), Request::get("/nowhere"), Request::post("/topics/a", "x")] {
            let response = server.request(&request);
            let date = response.get("Date").expect("a date");
            assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
        }
        assert!(server.request_bytes("\r\nx\r\n\r\n").get("Date").is_some());
    });
}
