//! The plots as SVG. A thin line is calculated; a mark was measured.
//!
//! Each plot is drawn twice, for a wide and for a narrow page, because the letters of a scaled-down
//! plot would be too small to read. The page shows one of the two drawings. The shape of a mark
//! shows its transport; color alone never does.

mod axis;
mod bytes;
mod cost;
mod grid;
mod labels;
mod users;

pub use bytes::{bytes, parts};
pub use cost::cost;
pub use users::{USERS, users};

use std::fmt::Write;

use crate::client::follow::Transport;
use crate::tools::html_report::markup::escaped;

/// One of the two drawings of a plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Wide,
    Narrow,
}

impl Frame {
    const BOTH: [Self; 2] = [Self::Wide, Self::Narrow];

    fn name(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }

    /// Returns the width in units. A unit is displayed as one pixel or slightly more.
    fn width(self) -> f64 {
        match self {
            Self::Wide => 720.0,
            Self::Narrow => 350.0,
        }
    }

    fn choose<T>(self, wide: T, narrow: T) -> T {
        match self {
            Self::Wide => wide,
            Self::Narrow => narrow,
        }
    }
}

/// The shape that represents a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Circle,
    Triangle,
    Square,
    Diamond,
}

impl Mark {
    pub fn of(via: Transport) -> Self {
        match via {
            Transport::ShortPoll => Self::Circle,
            Transport::LongPoll => Self::Triangle,
            Transport::EventStream => Self::Square,
            Transport::WebSocket => Self::Diamond,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Circle => "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",
            Self::Triangle => "M0 -6.5L6 5H-6z",
            Self::Square => "M-4.7 -4.7H4.7V4.7H-4.7z",
            Self::Diamond => "M0 -6.6L6.6 0L0 6.6L-6.6 0z",
        }
    }

    /// Returns the mark as an icon. Screen readers skip it, because the text next to it says the
    /// same.
    pub fn icon(self) -> String {
        format!(
            "<svg class=\"icon\" viewBox=\"-8 -8 16 16\" width=\"14\" height=\"14\" aria-hidden=\"true\">\
             <path class=\"mark\" d=\"{}\"/></svg> ",
            self.path()
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    Start,
    Middle,
    End,
}

/// The width of an average letter.
const LETTER: f64 = 6.6;
/// The height of a line of text.
const LINE: f64 = 16.0;

/// Returns the approximate width of a text.
fn width_of(text: &str) -> f64 {
    LETTER * text.chars().count() as f64
}

/// The elements of one drawing.
struct Canvas {
    frame: Frame,
    height: f64,
    body: String,
}

// Writing to a String cannot fail, so the results of `write!` are ignored.
impl Canvas {
    fn new(frame: Frame, height: f64) -> Self {
        Self { frame, height, body: String::new() }
    }

    fn line(&mut self, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
        let _ = writeln!(
            self.body,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    fn rect(&mut self, class: &str, [x, y, width, height]: [f64; 4]) {
        let width = width.max(0.0);
        let _ = writeln!(
            self.body,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
    }

    fn curve(&mut self, class: &str, points: &[[f64; 2]]) {
        let mut path = String::new();
        for (index, [x, y]) in points.iter().enumerate() {
            let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
        }
        if points.len() > 1 {
            let _ = writeln!(self.body, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }

    fn text(&mut self, class: &str, [x, y]: [f64; 2], anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
            escaped(text)
        );
    }

    fn mark(&mut self, mark: Mark, [x, y]: [f64; 2]) {
        let _ = writeln!(
            self.body,
            "<path class=\"mark\" transform=\"translate({x:.1} {y:.1})\" d=\"{}\"/>",
            mark.path()
        );
    }

    /// Returns the finished drawing with its title and a description in words.
    fn end(self, id: &str, title: &str, description: &str) -> String {
        let (name, width, height) = (self.frame.name(), self.frame.width(), self.height);
        format!(
            "<svg class=\"plot {name}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-labelledby=\"{id}-{name}-title {id}-{name}-desc\">\n\
             <title id=\"{id}-{name}-title\">{}</title>\n<desc id=\"{id}-{name}-desc\">{}</desc>\n{}</svg>\n",
            escaped(title),
            escaped(description),
            self.body
        )
    }
}
