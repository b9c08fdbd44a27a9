//! How many writes share a commit.

use std::sync::atomic::{AtomicU64, Ordering};

/// Commits that carry what waited together, and the writes in them: on SQLite all writes, on PostgreSQL refreshes.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    commits: AtomicU64,
    writes: AtomicU64,
}

impl Groups {
    /// One more commit, with so many writes.
    pub(super) fn add(&self, writes: usize) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let writes = u64::try_from(writes).unwrap_or_default();
        self.writes.fetch_add(writes, Ordering::Relaxed);
    }

    /// How many commits there were.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// How many writes were in them.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }
}
