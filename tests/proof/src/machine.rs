//! What the figures depend on: the machine, and what the system says of a process.

use std::thread::available_parallelism;

use crate::Fault;

/// Cores, memory and kernel in a line.
#[must_use]
pub fn line() -> String {
    let cores = available_parallelism().map_or(0, std::num::NonZero::get);
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let model = read("/proc/cpuinfo")
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name")?
                .split_once(": ")
                .map(|(_, model)| model.to_owned())
        })
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = read("/proc/meminfo")
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .trim()
                .strip_suffix(" kB")?
                .parse::<u64>()
                .ok()
        })
        .map_or_else(String::new, |kib| {
            format!(", {} GiB", kib.div_ceil(1 << 20))
        });
    let build = if cfg!(debug_assertions) {
        "debug build"
    } else {
        "release build"
    };
    format!(
        "{cores} cores ({model}){memory}, {}; {build}",
        std::env::consts::OS
    )
}

/// Nanoseconds of CPU that all threads of a process have used so far.
///
/// # Errors
/// Where there is no `/proc/PID/task/*/schedstat`: anywhere but on Linux.
pub fn cpu_nanoseconds(process: u32) -> Result<u64, Fault> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task"))
        .map_err(|error| format!("CPU time is read from /proc, on Linux only: {error}"))?;
    let mut sum = 0;
    for task in tasks {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(sum)
}

/// The same of a process and all that descend from it: what a server does in several processes counts as one.
///
/// # Errors
/// As [`cpu_nanoseconds`].
pub fn cpu_nanoseconds_of_all(process: u32) -> Result<u64, Fault> {
    let parents = parents()?;
    let mut family = vec![process];
    let mut sum = 0;
    while let Some(one) = family.pop() {
        sum += cpu_nanoseconds(one)?;
        family.extend(
            parents
                .iter()
                .filter_map(|(child, parent)| (*parent == one).then_some(*child)),
        );
    }
    Ok(sum)
}

/// Every process with its parent.
fn parents() -> Result<Vec<(u32, u32)>, Fault> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(process) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // Those that end in between are none of ours. The name, in parentheses, may hold anything.
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        all.extend(parent.map(|parent| (process, parent)));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, kill_process_group};

    #[test]
    fn what_a_grandchild_works_counts() {
        let mut child = Command::new("sh")
            .args(["-c", "sh -c 'while :; do :; done' & exec sleep 60"])
            .process_group(0)
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        let mut seen = false;
        while !seen && Instant::now() < until {
            let alone = cpu_nanoseconds(child.id()).unwrap();
            seen = cpu_nanoseconds_of_all(child.id()).unwrap() > alone + 20_000_000;
            std::thread::yield_now();
        }
        kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
        assert!(seen);
    }
}
