//! The set of ended sessions, as the feed told it.
//!
//! It knows no network, no file and no clock. One task writes, every request reads, and a reader never waits: it
//! looks into an immutable snapshot, and a writer publishes the next one by exchanging a pointer.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::feed::Entry;

/// Seconds for which a session stays revoked although a full answer does not name it.
///
/// Behind a load balancer the next answer may come from a replica that has not seen the ending yet (it looks every
/// 250 ms). Without this a revoked token would work again for that moment.
const HOLD: i64 = 3;

/// How many entries are copied at most to add a few: beyond it they move into the large map.
const RECENT: usize = 1024;

/// What is known of one session.
#[derive(Clone, Copy, Debug)]
struct Ended {
    until: i64,
    /// When this process heard of it first.
    learned: i64,
}

type Sessions = HashMap<Arc<str>, Ended>;

/// Two maps, because nearly all entries are old and every answer brings a few: only the small map is copied for them.
#[derive(Debug, Default)]
struct Snapshot {
    settled: Arc<Sessions>,
    recent: Sessions,
    /// The earliest `until`, so that a sweep with nothing to do costs nothing.
    first_over: Option<i64>,
}

impl Snapshot {
    fn of(settled: Sessions) -> Self {
        let first_over = settled.values().map(|ended| ended.until).min();
        Self {
            settled: Arc::new(settled),
            recent: Sessions::new(),
            first_over,
        }
    }

    fn find(&self, sid: &str) -> Option<&Ended> {
        self.recent.get(sid).or_else(|| self.settled.get(sid))
    }

    /// Everything still in force, in one map.
    fn in_force(&self, now: i64) -> Sessions {
        let mut all = Sessions::with_capacity(self.settled.len() + self.recent.len());
        for (sid, ended) in self.settled.iter().chain(&self.recent) {
            if ended.until > now {
                all.insert(Arc::clone(sid), *ended);
            }
        }
        all
    }
}

/// The ended sessions, each until no token of it can be valid any more.
#[derive(Debug, Default)]
pub struct EndedSessions {
    snapshot: ArcSwap<Snapshot>,
}

impl EndedSessions {
    /// Says whether the session has ended; waits for nobody.
    #[must_use]
    pub fn contains(&self, sid: &str, now: i64) -> bool {
        self.snapshot
            .load()
            .find(sid)
            .is_some_and(|ended| ended.until > now)
    }

    /// How many sessions are held, those not yet swept out included.
    #[must_use]
    pub fn len(&self) -> usize {
        let snapshot = self.snapshot.load();
        snapshot.settled.len()
            + snapshot
                .recent
                .keys()
                .filter(|sid| !snapshot.settled.contains_key(*sid))
                .count()
    }

    /// Says whether no session is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds what an answer brought. Entries may come twice and in any order; the longest life counts.
    ///
    /// Only one task may write: two writers would lose each other's entries.
    pub fn add(&self, entries: &[Entry], now: i64) {
        let old = self.snapshot.load();
        let mut fresh = Sessions::new();
        for entry in entries.iter().filter(|entry| entry.until > now) {
            learn(&mut fresh, entry, old.find(&entry.sid), now);
        }
        fresh.retain(|sid, ended| old.find(sid).is_none_or(|known| known.until < ended.until));
        if fresh.is_empty() {
            return;
        }
        if old.recent.len() + fresh.len() > RECENT {
            let mut all = old.in_force(now);
            all.extend(fresh);
            self.snapshot.store(Arc::new(Snapshot::of(all)));
            return;
        }
        let first_over = fresh
            .values()
            .map(|ended| ended.until)
            .chain(old.first_over)
            .min();
        let mut recent = old.recent.clone();
        recent.extend(fresh);
        self.snapshot.store(Arc::new(Snapshot {
            settled: Arc::clone(&old.settled),
            recent,
            first_over,
        }));
    }

    /// Puts a full answer in place of everything, except that what was learned within the last seconds is held for
    /// that long.
    ///
    /// Only one task may write.
    pub fn replace(&self, entries: &[Entry], now: i64) {
        let old = self.snapshot.load();
        let mut all = Sessions::with_capacity(entries.len());
        for entry in entries.iter().filter(|entry| entry.until > now) {
            learn(&mut all, entry, old.find(&entry.sid), now);
        }
        for (sid, ended) in old.settled.iter().chain(&old.recent) {
            let until = ended.until.min(ended.learned + HOLD);
            if until > now && !all.contains_key(sid) {
                all.insert(Arc::clone(sid), Ended { until, ..*ended });
            }
        }
        self.snapshot.store(Arc::new(Snapshot::of(all)));
    }

    /// Drops what is over. Cheap while nothing is.
    ///
    /// Only one task may write.
    pub fn sweep(&self, now: i64) {
        let old = self.snapshot.load();
        if old.first_over.is_some_and(|over| over <= now) {
            self.snapshot
                .store(Arc::new(Snapshot::of(old.in_force(now))));
        }
    }
}

/// Notes an entry beside what the same answer and the set before it say of the session.
fn learn(into: &mut Sessions, entry: &Entry, known: Option<&Ended>, now: i64) {
    let learned = known.map_or(now, |known| known.learned);
    into.entry(Arc::from(&*entry.sid))
        .and_modify(|ended| ended.until = ended.until.max(entry.until))
        .or_insert(Ended {
            until: entry.until,
            learned,
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn entry(sid: &str, until: i64) -> Entry {
        Entry {
            sid: sid.into(),
            until,
        }
    }

    #[test]
    fn an_entry_holds_until_its_time_and_not_longer() {
        let set = EndedSessions::default();
        set.add(&[entry("a", NOW + 10)], NOW);
        assert!(set.contains("a", NOW));
        assert!(set.contains("a", NOW + 9));
        assert!(!set.contains("a", NOW + 10));
        assert!(!set.contains("b", NOW));
    }

    #[test]
    fn entries_come_twice_and_in_any_order() {
        let set = EndedSessions::default();
        set.add(
            &[
                entry("a", NOW + 20),
                entry("b", NOW + 5),
                entry("a", NOW + 10),
            ],
            NOW,
        );
        set.add(&[entry("a", NOW + 15), entry("b", NOW + 30)], NOW);
        assert_eq!(set.len(), 2);
        assert!(
            set.contains("a", NOW + 19),
            "a shorter life does not shorten it"
        );
        assert!(set.contains("b", NOW + 29), "a longer life prolongs it");
    }

    #[test]
    fn what_is_over_on_arrival_is_not_taken() {
        let set = EndedSessions::default();
        set.add(&[entry("a", NOW)], NOW);
        set.replace(&[entry("b", NOW - 1)], NOW);
        assert!(set.is_empty());
    }

    #[test]
    fn a_full_answer_replaces_the_set() {
        let set = EndedSessions::default();
        set.add(&[entry("a", NOW + 100), entry("b", NOW + 100)], NOW);
        let later = NOW + HOLD;
        set.replace(&[entry("b", NOW + 100), entry("c", NOW + 100)], later);
        assert!(!set.contains("a", later));
        assert!(set.contains("b", later));
        assert!(set.contains("c", later));
        assert_eq!(set.len(), 2);
    }

    #[test]
    fn a_replica_that_has_not_heard_of_it_yet_does_not_bring_a_session_back() {
        let set = EndedSessions::default();
        set.add(&[entry("a", NOW + 100)], NOW);
        set.replace(&[], NOW + 1);
        assert!(set.contains("a", NOW + 1));
        assert!(!set.contains("a", NOW + HOLD), "it is held, not kept");
        set.add(&[entry("a", NOW + 100)], NOW + 1);
        assert!(
            set.contains("a", NOW + 50),
            "a replica that names it settles it"
        );
    }

    #[test]
    fn a_session_named_by_every_full_answer_is_held_from_its_first() {
        let set = EndedSessions::default();
        for second in 0..10 {
            set.replace(&[entry("a", NOW + 100)], NOW + second);
        }
        set.replace(&[], NOW + 10);
        assert!(!set.contains("a", NOW + 10));
    }

    #[test]
    fn a_sweep_drops_what_is_over_and_nothing_else() {
        let set = EndedSessions::default();
        set.add(&[entry("a", NOW + 5), entry("b", NOW + 50)], NOW);
        set.sweep(NOW + 4);
        assert_eq!(set.len(), 2);
        set.sweep(NOW + 5);
        assert_eq!(set.len(), 1);
        assert!(set.contains("b", NOW + 5));
        set.sweep(NOW + 50);
        assert!(set.is_empty());
    }

    #[test]
    fn a_hundred_thousand_entries_arrive_in_small_answers() {
        let set = EndedSessions::default();
        let sid = |n: i64| format!("{n:032x}-sid");
        for answer in 0..1_000 {
            let entries: Vec<_> = (answer * 100..answer * 100 + 100)
                .map(|n| entry(&sid(n), NOW + 1 + n))
                .collect();
            set.add(&entries, NOW);
        }
        assert_eq!(set.len(), 100_000);
        assert!((0..100_000).all(|n| set.contains(&sid(n), NOW)));
        set.sweep(NOW + 40_000);
        assert_eq!(set.len(), 60_000);
        assert!(!set.contains(&sid(39_999), NOW) && set.contains(&sid(40_000), NOW + 40_000));
    }
}
