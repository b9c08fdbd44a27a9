//! Mutated input for whatever is parsed of strangers: tokens, headers, key files, lists.
//!
//! Every case follows from a target's name, a seed and a number, so a finding is a line to type again and
//! needs no file. Starts from the samples in `seeds/`, which are valid, so that most mutations get far.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a property that does not hold is reported by a panic"
)]

mod bytes;
mod dice;
mod json;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

pub use dice::Dice;
pub use targets::{Outcomes, Target, all};

/// How a target fared.
#[derive(Debug)]
pub struct Report {
    /// The target.
    pub target: &'static str,
    /// Cases that were run.
    pub cases: u64,
    /// What came out, and how often.
    pub outcomes: Outcomes,
    /// The first case in which a property did not hold, and what was said.
    pub finding: Option<(u64, String)>,
}

/// Runs cases of a target, from a number on, until time or `most` cases are over or something is found.
#[must_use]
pub fn run(target: &mut dyn Target, seed: u64, from: u64, most: u64, time: Duration) -> Report {
    let mut report = Report {
        target: target.name(),
        cases: 0,
        outcomes: Outcomes::new(),
        finding: None,
    };
    let began = Instant::now();
    for case in from..from.saturating_add(most) {
        let mut dice = Dice::new(seed, target.name(), case);
        match catch_unwind(AssertUnwindSafe(|| target.case(&mut dice))) {
            Ok(outcome) => *report.outcomes.entry(outcome).or_default() += 1,
            Err(panic) => {
                report.finding = Some((case, said(&*panic)));
                return report;
            }
        }
        report.cases += 1;
        if began.elapsed() >= time {
            break;
        }
    }
    report
}

fn said(panic: &dyn std::any::Any) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_run_of_every_target_finds_nothing() {
        for mut target in all() {
            let report = run(&mut *target, 1, 0, u64::MAX, Duration::from_secs(2));
            assert_eq!(report.finding, None, "{}", report.target);
            assert!(report.cases > 100, "{report:?}");
            // The mutations neither spoil everything nor nothing.
            let good: u64 = report
                .outcomes
                .iter()
                .filter(|(outcome, _)| outcome.starts_with("ok"))
                .map(|(_, count)| count)
                .sum();
            assert!(good > 0 && good < report.cases, "{report:?}");
        }
    }

    #[test]
    fn a_case_is_the_same_each_time() {
        let roll = || -> Vec<usize> {
            let mut dice = Dice::new(7, "x", 3);
            (0..20).map(|_| dice.below(1000)).collect()
        };
        assert_eq!(roll(), roll());
    }
}
