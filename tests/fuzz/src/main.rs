//! `fuzz`: runs the targets for a while and prints what came out; exit code 1 with a finding.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Parser;

/// Feeds mutated input to whatever Keyturn parses of strangers.
#[derive(Parser)]
struct Options {
    /// Names of targets; all without one.
    targets: Vec<String>,
    /// Seconds for each target.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Where the dice begin; by default another place each time.
    #[arg(long)]
    seed: Option<u64>,
    /// Runs this case alone, as a finding names it; wants --seed.
    #[arg(long, requires = "seed")]
    case: Option<u64>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let clock = || {
        SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |time| time.as_secs())
    };
    let seed = options.seed.unwrap_or_else(clock);
    let (from, most) = options.case.map_or((0, u64::MAX), |case| (case, 1));
    let mut found = false;
    let wanted =
        |name: &str| options.targets.is_empty() || options.targets.iter().any(|t| t == name);
    for mut target in fuzz::all() {
        if !wanted(target.name()) {
            continue;
        }
        let time = Duration::from_secs(options.seconds);
        let report = fuzz::run(&mut *target, seed, from, most, time);
        println!("{:14} {:9} cases", report.target, report.cases);
        for (outcome, count) in &report.outcomes {
            println!("{count:24} {outcome}");
        }
        if let Some((case, said)) = report.finding {
            found = true;
            println!("    FOUND: {said}");
            println!(
                "    again: fuzz {} --seed {seed} --case {case}",
                report.target
            );
        }
    }
    if found {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
