//! The structure of the source: its budgets, which layers may name which others, which files write
//! to a standard stream, whether the names and links in the documentation exist, the width of
//! comments and pages, the limits of the examples, the comparison of the chats, and the files of
//! the package.

mod budgets;
mod columns;
mod comparison;
mod examples;
mod files;
mod items;
mod layers;
mod links;
mod names;
mod outputs;
mod package;
mod surface;
