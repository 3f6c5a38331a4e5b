//! The structure of the source: which layers may name which others, and whether the names and links
//! in the documentation exist.

mod items;
mod layers;
mod links;
mod names;
