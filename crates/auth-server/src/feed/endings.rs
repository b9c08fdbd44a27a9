//! The revocation feed's memory: which sessions ended lately, and who waits to hear of it.
//!
//! A set with an order of arrival. It forgets an ending once no access token of the session can be alive
//! any more, so it is bounded by the endings of about two hours. Where endings come from (this process, other
//! replicas, the command line) is the business of [`Endings::publish`]'s callers.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::db::Ending;
use crate::db::SessionId;

/// Seconds that the clock of another replica may be ahead.
const AHEAD: i64 = 60;

/// One revocation, as followers get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The session.
    pub session: SessionId,
    /// Unix second after which it may be forgotten.
    pub until: i64,
}

/// An answer of the feed.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    /// What to ask with next time.
    pub cursor: String,
    /// `entries` is everything in force, not only what is new.
    pub full: bool,
    /// Revocations.
    pub entries: Vec<Revocation>,
}

/// The memory. Clones share it.
#[derive(Clone)]
pub struct Endings {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
    /// Seconds from an ending to its `until`.
    in_force: i64,
    /// Makes cursors of another process unknown to this one.
    epoch: u64,
}

#[derive(Default)]
struct State {
    /// In the order of arrival, with consecutive numbers that end at `last`.
    entries: VecDeque<Revocation>,
    known: HashSet<SessionId>,
    last: u64,
    /// Counts every change, of what is forgotten as well.
    changes: u64,
}

impl Endings {
    /// An empty memory whose entries stay `in_force` seconds after the ending.
    #[must_use]
    pub fn new(in_force: i64) -> Self {
        Self {
            state: Arc::default(),
            changed: watch::Sender::new(0),
            in_force,
            epoch: rand::random(),
        }
    }

    /// Seconds that an ending stays in force.
    #[must_use]
    pub fn in_force(&self) -> i64 {
        self.in_force
    }

    /// Makes endings known; what is known already is passed over.
    pub fn publish(&self, ended: &[Ending]) {
        let mut state = self.lock();
        let before = state.last;
        for ending in ended {
            if state.known.insert(ending.session) {
                state.entries.push_back(Revocation {
                    session: ending.session,
                    until: ending.ended_at.saturating_add(self.in_force),
                });
                state.last += 1;
                state.changes += 1;
            }
        }
        let last = state.last;
        drop(state);
        if last != before {
            // Two publishers may come here out of order: the number only grows.
            self.changed.send_if_modified(|seen| {
                let grown = last > *seen;
                *seen = last.max(*seen);
                grown
            });
        }
    }

    /// Forgets what is no longer in force at `now`.
    pub fn forget(&self, now: i64) {
        let mut state = self.lock();
        // An ending from the future, by a clock that was wrong, would keep everything behind it for as long.
        let latest = now.saturating_add(self.in_force).saturating_add(AHEAD);
        if state.entries.front().is_some_and(|it| it.until > latest) {
            state.changes += 1;
            for entry in &mut state.entries {
                entry.until = entry.until.min(latest);
            }
        }
        // Only from the front: numbers must stay consecutive, and what came later ends about later.
        while let Some(first) = state
            .entries
            .front()
            .copied()
            .filter(|first| first.until < now)
        {
            state.changes += 1;
            state.entries.pop_front();
            state.known.remove(&first.session);
        }
    }

    /// How many endings are in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Is nothing in memory?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A number that is another one after every change.
    pub(super) fn state(&self) -> u64 {
        self.lock().changes
    }

    /// Did this process give this cursor?
    pub(super) fn knows(&self, cursor: Option<&str>) -> bool {
        let seen = cursor.and_then(|cursor| self.number(cursor));
        seen.is_some_and(|seen| seen <= self.lock().last)
    }

    /// What is new since `cursor`; everything for a cursor that this process did not give.
    #[must_use]
    pub fn since(&self, cursor: Option<&str>) -> News {
        let state = self.lock();
        let seen = cursor
            .and_then(|cursor| self.number(cursor))
            .filter(|seen| *seen <= state.last);
        let first = state.last - state.entries.len() as u64;
        // A cursor from before the oldest entry missed only what is no longer in force.
        let skip = seen.map_or(0, |seen| seen.saturating_sub(first));
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        News {
            cursor: format!("{:016x}-{}", self.epoch, state.last),
            full: seen.is_none(),
            entries: state.entries.iter().skip(skip).copied().collect(),
        }
    }

    /// Waits until there is news for `cursor`; returns at once if there is some, or the cursor is unknown.
    pub async fn wait(&self, cursor: Option<&str>) {
        let Some(seen) = cursor.and_then(|cursor| self.number(cursor)) else {
            return;
        };
        let mut changes = self.changed.subscribe();
        // An error would mean that the sender is gone, which `self` holds.
        let _ = changes.wait_for(|last| *last != seen).await;
    }

    fn number(&self, cursor: &str) -> Option<u64> {
        let (epoch, number) = cursor.split_once('-')?;
        (u64::from_str_radix(epoch, 16).ok()? == self.epoch)
            .then(|| number.parse().ok())
            .flatten()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing here panics halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::EndReason;

    fn id(n: u128) -> SessionId {
        uuid::Uuid::from_u128(n).into()
    }

    fn at(ended_at: i64, sessions: &[SessionId]) -> Vec<Ending> {
        let ending = |session: &SessionId| Ending {
            session: *session,
            ended_at,
            reason: EndReason::Logout,
        };
        sessions.iter().map(ending).collect()
    }

    fn sessions(news: &News) -> Vec<SessionId> {
        news.entries.iter().map(|e| e.session).collect()
    }

    #[test]
    fn a_first_question_gets_everything_and_the_next_only_what_is_new() {
        let endings = Endings::new(100);
        endings.publish(&at(1000, &[id(1), id(2)]));
        let first = endings.since(None);
        assert!(first.full);
        assert_eq!(
            first.entries,
            [1, 2].map(|n| Revocation {
                session: id(n),
                until: 1100
            })
        );
        endings.publish(&at(1001, &[id(2), id(3)]));
        let next = endings.since(Some(&first.cursor));
        assert!(!next.full);
        assert_eq!(sessions(&next), [id(3)]);
        assert!(endings.since(Some(&next.cursor)).entries.is_empty());
    }

    #[test]
    fn an_unknown_cursor_gets_everything() {
        let (one, other) = (Endings::new(100), Endings::new(100));
        one.publish(&at(0, &[id(1)]));
        for cursor in [
            other.since(None).cursor.as_str(),
            "",
            "-",
            "x-1",
            "0-0",
            &format!("{:016x}-9", one.epoch),
        ] {
            assert!(one.since(Some(cursor)).full, "{cursor}");
        }
    }

    #[test]
    fn what_is_no_longer_in_force_is_forgotten_and_cursors_stay_right() {
        let endings = Endings::new(100);
        endings.publish(&at(0, &[id(1)]));
        let early = endings.since(None).cursor;
        endings.publish(&at(50, &[id(2)]));
        endings.forget(101);
        assert_eq!(endings.len(), 1);
        assert_eq!(sessions(&endings.since(Some(&early))), [id(2)]);
        endings.publish(&at(60, &[id(3)]));
        assert_eq!(sessions(&endings.since(Some(&early))), [id(2), id(3)]);
    }

    #[test]
    fn an_ending_from_the_future_does_not_keep_all_others() {
        let endings = Endings::new(100);
        endings.publish(&at(1_000_000, &[id(1), id(2)]));
        endings.publish(&at(1000, &[id(3)]));
        endings.forget(1000);
        assert_eq!(endings.len(), 3);
        endings.forget(1000 + 100 + AHEAD + 1);
        assert!(endings.is_empty());
    }

    #[tokio::test]
    async fn a_waiting_follower_is_woken() {
        let endings = Endings::new(100);
        let cursor = endings.since(None).cursor;
        let waiting = {
            let (endings, cursor) = (endings.clone(), cursor.clone());
            tokio::spawn(async move { endings.wait(Some(&cursor)).await })
        };
        tokio::task::yield_now().await;
        endings.publish(&at(0, &[id(1)]));
        waiting.await.unwrap();
        endings.wait(Some(&cursor)).await; // news already: returns at once
        endings.wait(None).await;
    }
}
