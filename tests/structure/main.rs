//! The structure of the source: its budgets, which layers may name which others, and whether the
//! names and links in the documentation exist, and which files write to a standard stream; and the
//! files of the package.

mod budgets;
mod items;
mod layers;
mod links;
mod names;
mod outputs;
mod package;
