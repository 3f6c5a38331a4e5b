//! What the learner reads.

use std::fmt::Write;

use super::StepOutcome;
use super::stage::{Stage, View};
use super::stages;
use crate::tools::conform::explain;
use crate::tools::conform::record::Record;
use crate::tools::conform::trial::Finding;
use crate::wire::{Side, printable};

/// The width of the text of a task.
const WIDTH: usize = 96;

/// Returns the list of the stages.
pub fn list() -> String {
    let mut out = String::from("The ten stages of a real-time server:\n\n");
    for (index, stage) in stages::ALL.iter().enumerate() {
        // Writing to a String can't fail.
        let _ = writeln!(out, "{:>4}  {}", index + 1, stage.name);
        wrap(stage.task, "      ", &mut out);
        out.push('\n');
    }
    out.push_str(
        "barewire check STAGE says what to build, and barewire check STAGE URL tests your server.\n",
    );
    out
}

/// Returns what to build at a stage.
pub fn describe(index: usize, stage: &Stage) -> String {
    let mut out = format!("Stage {}: {}\n\n", index + 1, stage.name);
    wrap(stage.task, "  ", &mut out);
    out.push_str("\nYour server:\n\n");
    for step in stage.steps {
        let _ = writeln!(out, "  - {}", step.title);
        wrap(step.why, "    ", &mut out);
    }
    let _ = writeln!(out, "\nRead {}: {}.", stage.example, stage.read);
    let _ = writeln!(out, "Test your server with: barewire check {} http://127.0.0.1:8080", stage.name);
    out
}

/// Returns the result of a check.
pub fn result(index: usize, stage: &Stage, outcomes: &[StepOutcome], url: &str, color: bool) -> String {
    let mut out = format!("Stage {}: {}\n\n", index + 1, stage.name);
    for StepOutcome { step, finding, record } in outcomes {
        let Some(finding) = finding else {
            let _ = writeln!(out, "  ok    {}", step.title);
            continue;
        };
        let _ = writeln!(out, "  FAIL  {}\n", step.title);
        match stage.view {
            View::Bytes => bytes(record, &mut out),
            View::Wire => explain::conversation(record, Some(finding), Side::Server, color, &mut out),
        }
        out.push('\n');
        if let Finding::Failed { expected, observed, .. } = finding {
            let _ = writeln!(out, "  expected: {expected}\n  observed: {observed}\n");
        }
        wrap(step.why, "  ", &mut out);
        let section = step.section.map_or(String::new(), |section| format!("{section}, and "));
        wrap(&format!("Read {section}{}: {}.", stage.example, stage.read), "  ", &mut out);
        out.push('\n');
    }
    for step in &stage.steps[outcomes.len()..] {
        let _ = writeln!(out, "  --    {}", step.title);
    }
    out.push('\n');
    let is_done = outcomes.iter().all(|outcome| outcome.finding.is_none());
    match (is_done, stages::ALL.get(index + 1)) {
        (false, _) => {
            let passed = outcomes.len() - 1;
            let steps = stage.steps.len();
            let _ = writeln!(out, "{passed} of {steps} steps. Again: barewire check {} {url}", stage.name);
        }
        (true, Some(next)) => {
            let _ = writeln!(out, "Stage {} is done. The next is {}:\n", index + 1, next.name);
            wrap(next.task, "  ", &mut out);
            let _ = writeln!(out, "\nbarewire check {} {url}", next.name);
        }
        (true, None) => {
            let _ = writeln!(
                out,
                "Stage {} is done, and with it all: your server never loses an event silently.",
                index + 1
            );
        }
    }
    out
}

/// Appends the bytes of both sides as text, a line for each part.
fn bytes(record: &Record, out: &mut String) {
    for block in record.blocks() {
        let side = if block.side == Side::Server { "server" } else { "barewire" };
        // Writing to a String can't fail.
        let _ = match block.bytes.is_empty() {
            false => writeln!(out, "  connection {}, {side}: {}", block.connection, printable(&block.bytes)),
            true => writeln!(out, "  connection {}, {side} ends its side", block.connection),
        };
    }
}

/// Appends text in lines of a limited width, each after `indent`.
fn wrap(text: &str, indent: &str, out: &mut String) {
    let mut line = String::from(indent);
    for word in text.split_whitespace() {
        if line.len() + word.len() + 1 > WIDTH && line.len() > indent.len() {
            out.push_str(line.trim_end());
            out.push('\n');
            line = String::from(indent);
        }
        line.push_str(word);
        line.push(' ');
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
