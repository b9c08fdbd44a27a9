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
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(process) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // Those that end in between are none of ours.
        all.extend(parent(process).ok().map(|parent| (process, parent)));
    }
    Ok(all)
}

/// The process that started another one.
///
/// # Errors
/// Where there is no such process, or no `/proc`.
pub fn parent(process: u32) -> Result<u32, Fault> {
    Ok(Status::of(process)?.parent)
}

/// The unit of [`family_cpu_ticks`].
#[must_use]
pub fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

/// CPU time that a process and its children have used so far, those that have ended and were waited for included.
///
/// # Errors
/// Where there is no such process, or no `/proc`.
pub fn family_cpu_ticks(process: u32) -> Result<u64, Fault> {
    let own = Status::of(process)?;
    let mut sum = own.ticks + own.ticks_of_ended;
    for (child, _) in parents()?.into_iter().filter(|(_, of)| *of == process) {
        // It may have ended meanwhile: then it is among the ended ones next time.
        sum += Status::of(child).map_or(0, |status| status.ticks);
    }
    Ok(sum)
}

/// What `/proc/PID/stat` says; proc(5).
struct Status {
    parent: u32,
    ticks: u64,
    ticks_of_ended: u64,
}

impl Status {
    fn of(process: u32) -> Result<Self, Fault> {
        let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        // Behind the name, which may have spaces and brackets of its own.
        let (_, rest) = text
            .rsplit_once(") ")
            .ok_or("/proc/PID/stat has another form")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let number = |at: usize| -> Result<u64, Fault> {
            Ok(fields.get(at).copied().unwrap_or_default().parse()?)
        };
        Ok(Self {
            parent: u32::try_from(number(1)?)?,
            ticks: number(11)? + number(12)?,
            ticks_of_ended: number(13)? + number(14)?,
        })
    }
}

/// Bytes of a process that are in memory, shared pages included: `VmRSS`.
///
/// # Errors
/// Where there is no `/proc/PID/status`: anywhere but on Linux.
pub fn resident(process: u32) -> Result<u64, Fault> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))
        .map_err(|error| format!("memory is read from /proc, on Linux only: {error}"))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
        .ok_or("the system does not say how large the process is")?;
    Ok(kib.parse::<u64>()? << 10)
}

/// Bytes as MiB, with one digit behind the point.
#[must_use]
pub fn mib(bytes: u64) -> String {
    let tenths = (bytes * 10 + (1 << 19)) >> 20;
    format!("{}.{}", tenths / 10, tenths % 10)
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
