//! The results of `barewire compare` as a table, JSON, CSV and a report.

pub mod csv;
mod figures;
pub mod json;
pub mod numbers;
pub mod report;
pub mod table;
