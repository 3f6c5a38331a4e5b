//! A stage: what the learner builds, and the steps that test it.

use super::probe::Probe;
use crate::protocol::rule::Section;
use crate::tools::conform::trial::Finding;

/// One stage of a server that somebody builds.
pub struct Stage {
    /// The name, which the command line accepts beside the number.
    pub name: &'static str,
    /// What the server has to do at this stage.
    pub task: &'static str,
    /// The example of this repository that does it.
    pub example: &'static str,
    /// The part of that example, or of the source, to read.
    pub read: &'static str,
    /// How the bytes of a failure are shown.
    pub view: View,
    pub steps: &'static [Step],
}

/// How the bytes of a conversation are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// As text: no protocol gives them a meaning.
    Bytes,
    /// With the names that the wire view gives them.
    Wire,
}

/// One test of a stage.
pub struct Step {
    /// What the server does.
    pub title: &'static str,
    /// Why it matters: what goes wrong in a server that does otherwise.
    pub why: &'static str,
    /// The section that requires it; `None` where no protocol is involved.
    pub section: Option<Section>,
    pub play: fn(&mut Probe) -> Result<(), Finding>,
}
