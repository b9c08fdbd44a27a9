//! What a process that holds keys keeps from the rest of its machine.

/// Keeps the memory of this process, and the keys in it, out of core dumps, and from debuggers of the same
/// user. Call it first: nothing of it can be undone, and nothing that a service does needs it.
///
/// A crash leaves no dump, also where the system pipes dumps into a collector. On Linux `/proc/PID/mem` and
/// its neighbours belong to root from then on.
pub fn keep_memory_private() {
    // Neither is refused to anybody: they take away and give nothing. Where they do not exist, the system
    // has other means.
    #[cfg(unix)]
    let _ = rlimit::setrlimit(rlimit::Resource::CORE, 0, 0);
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior};

    #[test]
    fn memory_with_keys_in_it_is_not_dumped() {
        super::keep_memory_private();
        assert_eq!(
            dumpable_behavior().ok(),
            Some(DumpableBehavior::NotDumpable)
        );
        assert_eq!(rlimit::getrlimit(rlimit::Resource::CORE).unwrap(), (0, 0));
    }
}
