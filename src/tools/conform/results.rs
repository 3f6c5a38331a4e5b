//! The results of a run.

use super::case::{Case, Endpoint, Verdict};
use super::runner::CaseResult;

/// The results of all chosen cases, in the order of the cases.
pub struct Results<'r> {
    pub endpoint: Endpoint,
    pub cases: Vec<&'r Case>,
    /// The result of each case; `None` if the run was stopped before it.
    pub results: Vec<Option<CaseResult>>,
    /// The arguments that repeat the run, without a choice of cases.
    pub repeat: &'r str,
}

impl Results<'_> {
    /// Returns the cases with their results, without those that were not played.
    pub fn played(&self) -> impl Iterator<Item = (&Case, &CaseResult)> {
        let pairs = self.cases.iter().copied().zip(&self.results);
        pairs.filter_map(|(case, result)| result.as_ref().map(|result| (case, result)))
    }

    /// Returns the number of cases with this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.played().filter(|(_, result)| result.verdict == verdict).count()
    }
}
