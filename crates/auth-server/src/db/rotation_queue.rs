//! PostgreSQL: refreshes that wait together travel together, as on SQLite the writer takes what waits.
//!
//! A refresh on its own costs the database a round trip, a transaction and a commit, most of it for any number of rows
//! alike. So one statement is under way at a time: a refresh that finds none sets out at once, and those that come
//! meanwhile go with the next one, a row each. A statement that stays away for long is not waited for. What goes wrong
//! with a statement is nobody's answer: each of its refreshes is then made on its own, waits for its own row, and hears
//! of its own error.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::connection::AnyConnection;
use super::groups::Groups;
use super::pool::{ANSWER, CHECKOUT, Pool, QUEUE};
use super::{DbError, Rotated, Rotation, SessionId, Tx};

/// After this long without a new statement, whoever comes sets out beside those that are under way: the one before may
/// have met a connection that is dead.
const STALLED: Duration = Duration::from_millis(100);

/// Statements that may be under way then. One by one they are larger, and cheaper for each row.
const UNDER_WAY: usize = 4;

/// Rows in a statement: more gains nothing and makes the first wait.
const GROUP: usize = 128;

/// Refreshes on their way to PostgreSQL. Clones share it.
#[derive(Clone)]
pub(super) struct RotationQueue {
    pool: Pool,
    line: Arc<Mutex<Line>>,
    groups: Arc<Groups>,
}

struct Line {
    waiting: VecDeque<Job>,
    /// So many have come so far.
    entered: u64,
    under_way: usize,
    /// When the last statement set out.
    set_out: Instant,
}

struct Job {
    number: u64,
    rotation: Rotation,
    deadline: Instant,
    answer: oneshot::Sender<Answer>,
}

enum Answer {
    Known(Result<Option<Rotated>, DbError>),
    /// The statement failed and changed nothing, or nobody knows: the row tells.
    Alone(Rotation),
}

impl Job {
    fn session(&self) -> SessionId {
        self.rotation.presented.session
    }

    /// Nobody may listen any more: the client has gone, the work stands.
    fn tell(self, answer: Result<Option<Rotated>, DbError>) {
        let _ = self.answer.send(Answer::Known(answer));
    }
}

impl Line {
    fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            entered: 0,
            under_way: 0,
            set_out: Instant::now(),
        }
    }

    /// Takes a place for somebody to set out now; `false`: there is none.
    fn begin(&mut self, now: Instant) -> bool {
        let stalled = now.saturating_duration_since(self.set_out) >= STALLED;
        let free = self.under_way == 0 || (stalled && self.under_way < UNDER_WAY);
        if free {
            self.under_way += 1;
            self.set_out = now;
        }
        free
    }

    /// Those that go next, in one order everywhere, so that two statements never wait for each other; a session once,
    /// since of two changes to one row a statement makes only one. `None`: nobody waits.
    fn next_group(&mut self) -> Option<Vec<Job>> {
        let mut group = Vec::new();
        let mut sessions = HashSet::new();
        let mut later = VecDeque::new();
        while group.len() < GROUP
            && let Some(job) = self.waiting.pop_front()
        {
            if Instant::now() >= job.deadline {
                job.tell(Err(DbError::TooLate));
            } else if sessions.insert(job.session()) {
                group.push(job);
            } else {
                later.push_back(job);
            }
        }
        later.append(&mut self.waiting);
        self.waiting = later;
        self.set_out = Instant::now();
        group.sort_unstable_by_key(|job| *job.session().as_bytes());
        (!group.is_empty()).then_some(group)
    }
}

impl RotationQueue {
    pub(super) fn new(pool: Pool) -> Self {
        Self {
            pool,
            line: Arc::new(Mutex::new(Line::new())),
            groups: Arc::default(),
        }
    }

    /// Refreshes that wait for a statement to take them along.
    pub(super) fn waiting(&self) -> usize {
        self.line().waiting.len()
    }

    /// How many refreshes its statements have carried.
    pub(super) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Moves the row, as [`Tx::rotate_session`] does.
    pub(super) async fn submit(
        &self,
        deadline: Instant,
        rotation: Rotation,
    ) -> Result<Option<Rotated>, DbError> {
        let (answer, mut answered) = oneshot::channel();
        let number = self.enter(rotation, deadline, answer)?;
        let answer = match timeout(CHECKOUT, &mut answered).await {
            Ok(answer) => answer,
            Err(_) if self.leave(number) => return Err(self.pool.nobodys_turn()),
            Err(_) => match timeout(ANSWER.saturating_sub(CHECKOUT), answered).await {
                Ok(answer) => answer,
                Err(_) => return Err(DbError::Unavailable("it does not answer".into())),
            },
        };
        match answer {
            Ok(Answer::Known(result)) => result,
            Ok(Answer::Alone(rotation)) => {
                let alone = move |c: &mut AnyConnection| Tx(c).rotate_session(&rotation);
                self.pool.run(Some(deadline), alone).await
            }
            Err(_) => Err(DbError::Unavailable("a refresh panicked".into())),
        }
    }

    /// Gets in line, and sets out if there is a place. The number is the job's.
    fn enter(
        &self,
        rotation: Rotation,
        deadline: Instant,
        answer: oneshot::Sender<Answer>,
    ) -> Result<u64, DbError> {
        let mut line = self.line();
        if line.waiting.len() >= QUEUE {
            return Err(DbError::Busy);
        }
        line.entered += 1;
        let number = line.entered;
        line.waiting.push_back(Job {
            number,
            rotation,
            deadline,
            answer,
        });
        if line.begin(Instant::now()) {
            let this = self.clone();
            // Everyone's work: it goes on when the request that began it is given up.
            tokio::task::spawn_blocking(move || this.travel());
        }
        Ok(number)
    }

    /// Leaves the line; `false`: it has set out.
    fn leave(&self, number: u64) -> bool {
        let mut line = self.line();
        let before = line.waiting.len();
        line.waiting.retain(|job| job.number != number);
        line.waiting.len() < before
    }

    /// Makes statements until nobody waits.
    fn travel(&self) {
        loop {
            let group = {
                let mut line = self.line();
                let Some(group) = line.next_group() else {
                    // Under the lock under which others enter: nobody is left behind.
                    line.under_way -= 1;
                    return;
                };
                group
            };
            // Whoever was in it hears that nobody answers; the others go on.
            let _ = catch_unwind(AssertUnwindSafe(|| self.make(group)));
        }
    }

    fn make(&self, group: Vec<Job>) {
        let mut member = match self.pool.member() {
            Ok(member) => member,
            Err(error) => {
                let why = error.to_string();
                for job in group {
                    job.tell(Err(DbError::Unavailable(why.clone())));
                }
                return;
            }
        };
        let rotations: Vec<&Rotation> = group.iter().map(|job| &job.rotation).collect();
        let made = self
            .pool
            .ask(&mut member, &mut |c| Tx(c).rotate_sessions(&rotations));
        drop(member);
        match made {
            Ok(mut rotated) => {
                self.groups.add(group.len());
                for job in group {
                    let found = rotated.remove(&job.session());
                    job.tell(Ok(found));
                }
            }
            Err(error) => {
                let level = match error {
                    DbError::Query(_) | DbError::Unreadable(_) => log::Level::Error,
                    _ => log::Level::Debug,
                };
                log::log!(
                    level,
                    "{} refreshes together: {error}; each alone",
                    group.len()
                );
                for job in group {
                    let _ = job.answer.send(Answer::Alone(job.rotation));
                }
            }
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::db::{Generation, RefreshToken};

    fn job(number: u64, session: u128, deadline: Instant) -> (Job, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let rotation = Rotation {
            presented: RefreshToken {
                purpose: crate::db::Purpose::Account,
                key_id: 1,
                session: Uuid::from_u128(session).into(),
                generation: Generation::FIRST,
                nonce: [0; 16],
                absolute_until: i64::MAX,
            },
            owner: crate::db::Owner::User(Uuid::nil().into()),
            now: 0,
            idle_until: 1,
            address: String::new(),
            agent: String::new(),
            shown_from: 0,
        };
        let job = Job {
            number,
            rotation,
            deadline,
            answer,
        };
        (job, answered)
    }

    fn numbers(group: Option<Vec<Job>>) -> Vec<u64> {
        group.into_iter().flatten().map(|job| job.number).collect()
    }

    fn soon() -> Instant {
        Instant::now() + CHECKOUT
    }

    #[test]
    fn a_session_goes_once_in_a_statement_and_its_second_refresh_in_the_next() {
        let mut line = Line::new();
        let mut answers = Vec::new();
        for (number, session) in [(1, 30), (2, 10), (3, 30), (4, 20), (5, 30)] {
            let (job, answered) = job(number, session, soon());
            line.waiting.push_back(job);
            answers.push(answered);
        }
        // In the order of the sessions' ids, whatever the order they came in.
        assert_eq!(numbers(line.next_group()), [2, 4, 1]);
        assert_eq!(numbers(line.next_group()), [3]);
        assert_eq!(numbers(line.next_group()), [5]);
        assert!(line.next_group().is_none());
    }

    #[test]
    fn a_statement_takes_so_many_and_the_others_keep_their_turn() {
        let mut line = Line::new();
        let mut answers = Vec::new();
        let all = u64::try_from(GROUP).unwrap() + 3;
        for number in 1..=all {
            let (job, answered) = job(number, u128::from(number), soon());
            line.waiting.push_back(job);
            answers.push(answered);
        }
        assert_eq!(numbers(line.next_group()).len(), GROUP);
        assert_eq!(numbers(line.next_group()), [all - 2, all - 1, all]);
    }

    #[test]
    fn one_sets_out_at_a_time_until_one_stays_away() {
        let mut line = Line::new();
        let now = Instant::now();
        assert!(line.begin(now), "alone, nobody waits");
        assert!(!line.begin(now + STALLED / 2));
        for others in 1..4 {
            assert!(line.begin(now + others * STALLED), "{others}");
            assert!(!line.begin(now + others * STALLED));
        }
        assert!(!line.begin(now + 10 * STALLED), "enough of it");
    }

    #[test]
    fn who_waited_too_long_is_told_and_takes_no_place() {
        let mut line = Line::new();
        let (late, mut answered) = job(1, 1, Instant::now());
        let (other, _kept) = job(2, 2, soon());
        line.waiting.extend([late, other]);
        assert_eq!(numbers(line.next_group()), [2]);
        assert!(matches!(
            answered.try_recv(),
            Ok(Answer::Known(Err(DbError::TooLate)))
        ));
    }
}
