//! The structure of the source: which parts may depend on which.

mod layers;
