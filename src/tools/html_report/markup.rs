//! HTML elements as text, and tables.

use std::fmt::Write;

pub(in crate::tools) use crate::wire::render::svg::escaped;

/// Returns an element with a text.
pub fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>\n", escaped(text))
}

/// A table that scrolls sideways on a narrow page, also with the keyboard.
pub struct Table {
    caption: String,
    head: String,
    body: String,
}

impl Table {
    /// Returns a table with these column headings, which are markup. The first column contains the
    /// row headings.
    pub fn new(caption: &str, columns: impl IntoIterator<Item = String>) -> Self {
        let head = columns.into_iter().map(|column| format!("<th scope=\"col\">{column}</th>")).collect();
        Self { caption: caption.to_owned(), head, body: "<tbody>\n".to_owned() }
    }

    /// Starts a group of rows.
    pub fn group(&mut self) {
        if !self.body.ends_with("<tbody>\n") {
            self.body.push_str("</tbody>\n<tbody>\n");
        }
    }

    /// Adds a row. Its heading and its cells are markup.
    pub fn row(&mut self, heading: &str, cells: impl IntoIterator<Item = String>) {
        let _ = write!(self.body, "<tr><th scope=\"row\">{heading}</th>");
        for cell in cells {
            let _ = write!(self.body, "<td>{cell}</td>");
        }
        self.body.push_str("</tr>\n");
    }

    /// Returns the finished table as markup.
    pub fn end(self) -> String {
        let caption = escaped(&self.caption);
        format!(
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">\n\
             <table>\n<caption><span>{caption}</span></caption>\n<thead><tr>{}</tr></thead>\n\
             {}</tbody>\n</table>\n</div>\n",
            self.head, self.body
        )
    }
}
