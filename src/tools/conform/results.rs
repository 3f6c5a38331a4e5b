//! The results of a run.

use super::case::{Case, Endpoint, Verdict};
use super::expectation::Difference;
use super::runner::CaseResult;
use crate::text::escaped;
use crate::wire::Side;

/// The results of all chosen cases, in the order of the cases.
pub struct Results<'r> {
    pub endpoint: Endpoint,
    pub cases: Vec<&'r Case>,
    /// The result of each case; `None` if the run was stopped before it.
    pub results: Vec<Option<CaseResult>>,
    /// The arguments that repeat the run, without a choice of cases.
    pub repeat: &'r str,
    /// The differences from the expected outcomes; `None` if none are expected.
    pub differences: Option<Vec<Difference>>,
}

impl Results<'_> {
    /// Returns the side of the endpoint under test.
    pub fn side(&self) -> Side {
        match self.endpoint {
            Endpoint::Server => Side::Server,
            Endpoint::Client => Side::Client,
        }
    }

    /// Returns the command that plays only this case. Control characters are escaped.
    pub fn repeat_command(&self, case: &Case) -> String {
        format!("{} --only {}", escaped(self.repeat, &[]), case.number)
    }

    /// Returns the cases with their results, without those that were not played.
    pub fn played(&self) -> impl Iterator<Item = (&Case, &CaseResult)> {
        let pairs = self.cases.iter().copied().zip(&self.results);
        pairs.filter_map(|(case, result)| result.as_ref().map(|result| (case, result)))
    }

    /// Returns whether no outcome needs attention: no case failed, or all outcomes are the expected
    /// ones.
    pub fn is_success(&self) -> bool {
        match &self.differences {
            Some(differences) => differences.is_empty(),
            None => self.count(Verdict::Fail) == 0,
        }
    }

    /// Returns the difference from the expected outcome of the case.
    pub fn difference(&self, case: &Case) -> Option<&Difference> {
        self.differences.iter().flatten().find(|difference| difference.number == case.number)
    }

    /// Returns whether the case failed although it was not expected to.
    pub fn is_unexpected_failure(&self, case: &Case, result: &CaseResult) -> bool {
        let is_expected = self.differences.is_some() && self.difference(case).is_none();
        result.verdict == Verdict::Fail && !is_expected
    }

    /// Returns whether all cases were played.
    pub fn is_complete(&self) -> bool {
        self.results.iter().all(Option::is_some)
    }

    /// Returns the number of cases with this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.played().filter(|(_, result)| result.verdict == verdict).count()
    }
}
