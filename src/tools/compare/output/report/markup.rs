//! HTML and SVG as text: escaping, tables, and what goes around them.

use std::fmt::Write;

/// As text, or as an attribute's value in double quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(character),
        }
    }
    out
}

/// An element with a text.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>\n", escaped(text))
}

/// A table that can be scrolled sideways by itself where the page is narrow, with the keyboard too.
pub(super) struct Table {
    caption: String,
    head: String,
    body: String,
}

impl Table {
    /// With columns of these names, each already markup; the first is the one of the rows' names.
    pub(super) fn new(caption: &str, columns: impl IntoIterator<Item = String>) -> Self {
        let head = columns.into_iter().map(|column| format!("<th scope=\"col\">{column}</th>")).collect();
        Self { caption: caption.to_owned(), head, body: "<tbody>\n".to_owned() }
    }

    /// Begins a group of rows.
    pub(super) fn group(&mut self) {
        if !self.body.ends_with("<tbody>\n") {
            self.body.push_str("</tbody>\n<tbody>\n");
        }
    }

    /// A row: its name, as markup, and its cells, as markup.
    pub(super) fn row(&mut self, name: &str, cells: impl IntoIterator<Item = String>) {
        let _ = write!(self.body, "<tr><th scope=\"row\">{name}</th>");
        for cell in cells {
            let _ = write!(self.body, "<td>{cell}</td>");
        }
        self.body.push_str("</tr>\n");
    }

    /// The whole, as markup.
    pub(super) fn end(self) -> String {
        let caption = escaped(&self.caption);
        format!(
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">\n\
             <table>\n<caption><span>{caption}</span></caption>\n<thead><tr>{}</tr></thead>\n{}</tbody>\n</table>\n</div>\n",
            self.head, self.body
        )
    }
}
