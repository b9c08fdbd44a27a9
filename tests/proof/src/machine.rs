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
