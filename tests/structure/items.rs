//! An index of the Rust items in the source: which names are defined, in which file, and in which
//! type. It reads tokens, not types, so it needs no compiler and accepts any file that compiles.

use std::collections::{HashMap, HashSet};

/// The names that a set of Rust files defines.
#[derive(Default)]
pub struct Items {
    /// Types, traits and enum variants.
    camel_case: HashSet<String>,
    /// The files that define each name of any kind.
    files: HashMap<String, HashSet<String>>,
    /// The methods, constants, variants and fields of each type.
    members: HashMap<String, HashSet<String>>,
    /// String literals, which contain the names of JSON members, metrics and options.
    literals: HashSet<String>,
}

impl Items {
    /// Adds everything that a file defines.
    pub fn add_file(&mut self, path: &str, source: &str) {
        let (tokens, literals) = tokens(source);
        if path.starts_with("src/") {
            self.literals.extend(literals);
        }
        Walk { items: self, path, tokens: &tokens, scopes: Vec::new(), next_scope: None }.run();
    }

    /// Returns true if a type, a trait or an enum variant has this name.
    pub fn defines_type(&self, name: &str) -> bool {
        self.camel_case.contains(name)
    }

    /// Returns true if an item of any kind has this name.
    pub fn defines(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Returns true if a file whose path matches defines this name.
    pub fn defines_in(&self, name: &str, matches: impl Fn(&str) -> bool) -> bool {
        self.files.get(name).is_some_and(|files| files.iter().any(|file| matches(file)))
    }

    /// Returns true if the type has a member of this name.
    pub fn has_member(&self, type_name: &str, member: &str) -> bool {
        self.members.get(type_name).is_some_and(|members| members.contains(member))
    }

    /// Returns true if a string literal in `src/` is exactly this text.
    pub fn has_literal(&self, text: &str) -> bool {
        self.literals.contains(text)
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Mark(char),
}

/// Splits a source into words and marks, and returns its string literals. Drops comments, lifetimes
/// and numbers.
fn tokens(source: &str) -> (Vec<Token>, Vec<String>) {
    let (mut tokens, mut literals) = (Vec::new(), Vec::new());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if rest.starts_with("/*") {
            rest = rest.split_once("*/").map_or("", |(_, after)| after);
        } else if let Some((literal, after)) = string(rest) {
            // A literal that is a piece of JSON contains names in escaped quotes.
            literals.extend(literal.split("\\\"").map(str::to_owned));
            rest = after;
        } else if first == '\'' || rest.starts_with("b'") {
            rest = after_quote(rest.trim_start_matches('b'));
        } else if is_word(first) {
            let (word, after) = rest.split_at(rest.find(|next| !is_word(next)).unwrap_or(rest.len()));
            if !first.is_ascii_digit() {
                tokens.push(Token::Word(word.to_owned()));
            }
            rest = after;
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Mark(first));
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    (tokens, literals)
}

/// Splits off a string literal, plain or raw, and returns its content and the text after it.
fn string(text: &str) -> Option<(&str, &str)> {
    let prefix = text.find(|character| !"brc".contains(character))?;
    let content = text[prefix..].trim_start_matches('#');
    let hashes = &text[prefix..text.len() - content.len()];
    let content = content.strip_prefix('"')?;
    if text[..prefix].ends_with('r') {
        return content.split_once(&format!("\"{hashes}"));
    }
    let mut is_escaped = false;
    let end = content.find(|character| {
        let is_end = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_end
    })?;
    hashes.is_empty().then(|| (&content[..end], &content[end + 1..]))
}

/// Returns the text after a character literal or a lifetime.
fn after_quote(text: &str) -> &str {
    let mut characters = text[1..].char_indices();
    let Some((_, first)) = characters.next() else { return "" };
    if first == '\\' {
        let end = characters.skip(1).find(|(_, character)| *character == '\'');
        return end.map_or("", |(end, _)| &text[1 + end + 1..]);
    }
    match characters.next() {
        Some((end, '\'')) => &text[1 + end + 1..],
        _ => text[1..].trim_start_matches(is_word),
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The kind of a pair of braces, as far as names in them are concerned.
#[derive(Clone, PartialEq)]
enum Scope {
    /// An `impl` or a trait: its functions and constants belong to the type.
    Impl(String),
    /// The variants of an enum.
    Enum(String),
    /// The fields of a struct, or of one variant.
    Fields(String),
    Other,
}

struct Walk<'a> {
    items: &'a mut Items,
    path: &'a str,
    tokens: &'a [Token],
    scopes: Vec<Scope>,
    /// The scope of the next opening brace.
    next_scope: Option<Scope>,
}

impl<'a> Walk<'a> {
    fn run(mut self) {
        for at in 0..self.tokens.len() {
            match &self.tokens[at] {
                Token::Mark('{') => {
                    let scope = match (self.next_scope.take(), self.scopes.last()) {
                        (Some(scope), _) => scope,
                        (None, Some(Scope::Enum(name))) => Scope::Fields(name.clone()),
                        (None, _) => Scope::Other,
                    };
                    self.scopes.push(scope);
                }
                Token::Mark('(' | '[') => self.scopes.push(Scope::Other),
                Token::Mark(')' | ']' | '}') => {
                    self.scopes.pop();
                }
                Token::Mark(';') => self.next_scope = None,
                Token::Mark(_) => {}
                Token::Word(word) => self.word(at, word),
            }
        }
    }

    fn word(&mut self, at: usize, word: &str) {
        let next = self.name(at + 1);
        match (word, next) {
            ("struct", Some(name)) => self.define_type(name, Scope::Fields(name.to_owned())),
            ("enum", Some(name)) => self.define_type(name, Scope::Enum(name.to_owned())),
            ("trait", Some(name)) => self.define_type(name, Scope::Impl(name.to_owned())),
            ("type", Some(name)) => {
                self.items.camel_case.insert(name.to_owned());
                self.define_item(name);
            }
            ("fn" | "mod", Some(name)) => self.define_item(name),
            ("const" | "static", Some(name)) if self.is_mark(at + 2, ':') => self.define_item(name),
            ("impl", _) if at == 0 || self.is_item_start(at) => {
                self.next_scope = self.impl_target(at).map(Scope::Impl);
            }
            _ => self.variant_or_field(at, word),
        }
    }

    fn define_type(&mut self, name: &str, scope: Scope) {
        self.items.camel_case.insert(name.to_owned());
        self.define(name);
        self.next_scope = Some(scope);
    }

    /// Defines an item, which is a member of a type if it is in an `impl` or a trait.
    fn define_item(&mut self, name: &str) {
        match self.scopes.last().cloned() {
            Some(Scope::Impl(type_name)) => self.add_member(&type_name, name),
            _ => self.define(name),
        }
    }

    fn add_member(&mut self, type_name: &str, name: &str) {
        self.items.members.entry(type_name.to_owned()).or_default().insert(name.to_owned());
        self.define(name);
    }

    fn define(&mut self, name: &str) {
        self.items.files.entry(name.to_owned()).or_default().insert(self.path.to_owned());
    }

    fn variant_or_field(&mut self, at: usize, word: &str) {
        let starts = at > 0 && [',', '{', ']', ';'].iter().any(|mark| self.is_mark(at - 1, *mark));
        let is_public = at > 0 && (self.name(at - 1) == Some("pub") || self.is_mark(at - 1, ')'));
        match self.scopes.last().cloned() {
            Some(Scope::Enum(name)) if starts => {
                self.items.camel_case.insert(word.to_owned());
                self.add_member(&name, word);
            }
            Some(Scope::Fields(name)) if (starts || is_public) && self.is_mark(at + 1, ':') => {
                self.add_member(&name, word);
            }
            _ => {}
        }
    }

    /// Returns the type of an `impl` block, without its path and parameters.
    fn impl_target(&self, at: usize) -> Option<String> {
        let (mut depth, mut target) = (0, None);
        for at in at + 1.. {
            match self.tokens.get(at)? {
                Token::Mark('<') => depth += 1,
                // The arrow of a function type does not close a parameter list.
                Token::Mark('>') if !self.is_mark(at - 1, '-') => depth -= 1,
                Token::Mark('{') => return target,
                Token::Word(word) if word == "where" => return target,
                Token::Word(word) if depth == 0 && word != "for" => target = Some(word.clone()),
                _ => {}
            }
        }
        None
    }

    fn is_item_start(&self, at: usize) -> bool {
        ['}', '{', ';', ']'].iter().any(|mark| self.is_mark(at - 1, *mark))
            || self.name(at - 1) == Some("unsafe")
    }

    fn name(&self, at: usize) -> Option<&'a str> {
        match self.tokens.get(at) {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn is_mark(&self, at: usize, mark: char) -> bool {
        self.tokens.get(at) == Some(&Token::Mark(mark))
    }
}
