//! The rotation rules against a model, over thousands of stories that nobody would think of.
//!
//! The rules run as they are, on a SQLite file that two replicas share; only time is the test's. A story is
//! a list of steps; [`table`] says what the contract answers to each.

mod table;
mod world;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use table::Table;
use world::{ABSOLUTE, Answer, Ask, Case, GRACE, IDLE, LATE_RETRIES, World};

/// Runs one in `share` of the usual number of stories (256, or `PROPTEST_CASES`) through one world; a failure
/// names the shortest story that shows it.
fn stories<S: Strategy>(
    share: u32,
    steps: S,
    run: impl Fn(&World, S::Value) -> Result<(), String>,
) {
    let world = World::new();
    let usual = Config::default();
    let config = Config {
        cases: usual.cases.div_ceil(share),
        failure_persistence: None,
        ..usual
    };
    let done = TestRunner::new(config).run(&steps, |story| {
        run(&world, story).map_err(TestCaseError::fail)
    });
    match done {
        Ok(()) => {}
        Err(TestError::Fail(why, story)) => panic!("{why}\nthe shortest story: {story:#?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

fn wait() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => 0..3_i64,
        4 => prop::sample::select(vec![GRACE - 1, GRACE, GRACE + 1, 2 * GRACE]),
        // Another replica's clock, or this one's set right.
        1 => -3..0_i64,
        1 => prop::sample::select(vec![IDLE / 2, IDLE - 1, IDLE, ABSOLUTE]),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Wait(i64),
    /// The token this many generations before the newest that was ever handed out.
    Refresh {
        replica: usize,
        back: i64,
    },
    LogOut {
        replica: usize,
        back: i64,
    },
    Race {
        back: [i64; 2],
        log_out: bool,
    },
    Save,
    Restore,
}

fn step() -> impl Strategy<Value = Step> {
    let back = || prop_oneof![6 => 0..2_i64, 1 => 2..5_i64];
    prop_oneof![
        6 => wait().prop_map(Step::Wait),
        14 => (0..2_usize, back()).prop_map(|(replica, back)| Step::Refresh { replica, back }),
        1 => (0..2_usize, back()).prop_map(|(replica, back)| Step::LogOut { replica, back }),
        3 => ([back(), back()], prop::bool::weighted(0.2)).prop_map(|(back, log_out)| Step::Race { back, log_out }),
        2 => Just(Step::Save),
        2 => Just(Step::Restore),
    ]
}

#[test]
fn every_answer_is_the_tables_and_nothing_else_is_touched() {
    stories(2, prop::collection::vec(step(), 1..40), |world, story| {
        let other = world.begin();
        let untouched = other.row();
        let mut case = world.begin();
        let (mut backup, mut restored, mut logged_out) = (case.save(), false, false);
        for step in story {
            let nth = |back: i64| (case.newest() - back).max(1);
            let before = case.table.generation;
            match step {
                Step::Wait(seconds) => case.now += seconds,
                Step::Refresh { replica, back } => {
                    let answer = case.ask(replica, Ask::Refresh(nth(back)))?;
                    if logged_out && matches!(answer, Answer::Pair(_)) {
                        return Err("alive after an answered log-out".into());
                    }
                }
                Step::LogOut { replica, back } => {
                    case.ask(replica, Ask::LogOut(nth(back)))?;
                    logged_out = true;
                }
                Step::Race {
                    back: [one, two],
                    log_out,
                } => {
                    let second = if log_out {
                        Ask::LogOut(nth(two))
                    } else {
                        Ask::Refresh(nth(two))
                    };
                    case.race([Ask::Refresh(nth(one)), second])?;
                    logged_out |= log_out;
                }
                Step::Save => (backup, restored) = (case.save(), false),
                Step::Restore => {
                    case.restore(&backup);
                    (restored, logged_out) = (true, false);
                    continue;
                }
            }
            if case.row().0.generation < before {
                return Err("the generation went backwards".into());
            }
        }
        // After a restore every token newer than the row is good: it may be the owner's.
        if !restored && case.newest() == case.table.generation {
            at_most_one_successor_lives(&mut case)?;
        }
        if other.row() == untouched {
            Ok(())
        } else {
            Err("another session was touched".into())
        }
    });
}

/// Tries every token that was ever handed out, each on the same row, long after the grace time.
fn at_most_one_successor_lives(case: &mut Case<'_>) -> Result<(), String> {
    case.now += 2 * GRACE;
    let (lives, row) = (case.table.lives(case.now), case.save());
    let mut rotated = Vec::new();
    for n in 1..=case.newest() {
        if case.issued.contains_key(&n)
            && case.ask(0, Ask::Refresh(n))? == Answer::Pair(row.table.generation + 1)
        {
            rotated.push(n);
        }
        case.restore(&row);
    }
    let expected = if lives {
        vec![row.table.generation]
    } else {
        vec![]
    };
    if rotated == expected {
        Ok(())
    } else {
        Err(format!("{rotated:?} are all current"))
    }
}

#[derive(Clone, Debug)]
enum HonestStep {
    Wait(i64),
    /// A tab reads the stored pair and sends it.
    Send,
    /// One of the requests on their way arrives; its answer may be lost, and a copy may come later.
    Arrive {
        which: prop::sample::Index,
        replica: usize,
        answer_lost: bool,
        copy_stays: bool,
    },
    Save,
    Failover,
}

fn honest_step() -> impl Strategy<Value = HonestStep> {
    let arrive = (
        any::<prop::sample::Index>(),
        0..2_usize,
        prop::bool::weighted(0.4),
        prop::bool::weighted(0.3),
    );
    prop_oneof![
        4 => prop_oneof![3 => 0..3_i64, 3 => GRACE - 2..2 * GRACE, 1 => 100..1000_i64].prop_map(HonestStep::Wait),
        6 => Just(HonestStep::Send),
        9 => arrive.prop_map(|(which, replica, answer_lost, copy_stays)| {
            HonestStep::Arrive { which, replica, answer_lost, copy_stays }
        }),
        1 => Just(HonestStep::Save),
        1 => Just(HonestStep::Failover),
    ]
}

/// Honest tabs: they share one stored pair, send what is stored, and store an answer only over what was sent.
struct Owner<'a> {
    case: Case<'a>,
    stored: i64,
    /// Generation and time of each request that may still arrive: less than the grace time after it was sent.
    on_the_way: Vec<(i64, i64)>,
}

impl Owner<'_> {
    fn arrive(&mut self, replica: usize, sent: i64, answer_lost: bool) -> Result<(), String> {
        match self.case.ask(replica, Ask::Refresh(sent))? {
            Answer::Pair(next) if !answer_lost && self.stored == sent => self.stored = next,
            Answer::Pair(_) => {}
            // What the client does then: it reads the store again, and finds a newer pair.
            Answer::Superseded if answer_lost || self.stored != sent => {}
            refused => {
                return Err(format!(
                    "the honest owner was refused generation {sent}: {refused:?}"
                ));
            }
        }
        Ok(())
    }

    /// Lets time pass. No rule can forgive a lost answer in four generations in a row, each asked for again
    /// only after the grace time: after three, this client asks again in time.
    fn wait(&mut self, seconds: i64) -> Result<(), String> {
        let Table { generation, .. } = self.case.table;
        if self.stored + 1 == generation && self.case.table.late_in_a_row() >= LATE_RETRIES {
            self.arrive(0, self.stored, false)?;
        }
        self.case.now += seconds;
        let oldest = self.case.now - GRACE + 1;
        self.on_the_way.retain(|(_, sent_at)| *sent_at >= oldest);
        Ok(())
    }
}

#[test]
fn an_honest_owner_is_never_refused_however_bad_the_network() {
    stories(
        2,
        prop::collection::vec(honest_step(), 1..60),
        |world, story| {
            let mut owner = Owner {
                case: world.begin(),
                stored: 1,
                on_the_way: Vec::new(),
            };
            let mut backup = owner.case.save();
            for step in story {
                if owner.case.now + 1000 >= owner.case.table.idle_until {
                    break; // Over, and rightly.
                }
                match step {
                    HonestStep::Wait(seconds) => owner.wait(seconds)?,
                    HonestStep::Send => owner.on_the_way.push((owner.stored, owner.case.now)),
                    HonestStep::Arrive {
                        which,
                        replica,
                        answer_lost,
                        copy_stays,
                    } => {
                        if owner.on_the_way.is_empty() {
                            continue;
                        }
                        let at = which.index(owner.on_the_way.len());
                        let (sent, _) = owner.on_the_way[at];
                        if !copy_stays {
                            owner.on_the_way.swap_remove(at);
                        }
                        owner.arrive(replica, sent, answer_lost)?;
                    }
                    HonestStep::Save => backup = owner.case.save(),
                    HonestStep::Failover => {
                        // No request outlives it: the connections are gone with the old server.
                        owner.wait(GRACE)?;
                        if owner.case.now + 1000 < backup.table.idle_until {
                            owner.case.restore(&backup);
                        }
                    }
                }
            }
            owner.wait(GRACE)?;
            owner.arrive(0, owner.stored, false)?;
            owner.arrive(1, owner.stored, false)
        },
    );
}

#[test]
fn a_thief_who_keeps_step_is_found_within_four_exchanges() {
    // Rounds in which both act, each once or more, farther apart than the grace time.
    let round = (
        any::<bool>(),
        1..4_usize,
        1..4_usize,
        GRACE..3 * GRACE,
        0..GRACE,
    );
    let before = prop::collection::vec(0..2 * GRACE, 0..4);
    stories(
        4,
        (before, prop::collection::vec(round, 4)),
        |world, (before, rounds)| {
            let (other, mut case) = (world.begin(), world.begin());
            let untouched = other.row();
            for pause in before {
                case.ask(0, Ask::Refresh(case.newest()))?;
                case.now += pause;
            }
            let mut held = [case.newest(); 2];
            for (owner_first, owner_acts, thief_acts, pause, within) in rounds {
                let turns = [(0, owner_acts), (1, thief_acts)];
                for (who, acts) in if owner_first {
                    turns
                } else {
                    [turns[1], turns[0]]
                } {
                    case.now += pause;
                    for _ in 0..acts {
                        if let Answer::Pair(next) = case.ask(who, Ask::Refresh(held[who]))? {
                            held[who] = next;
                        }
                        case.now += within / 4;
                    }
                }
            }
            if case.table.ended != Some("reuse") {
                return Err("owner and thief took four turns each, and the session lives".into());
            }
            if other.row() == untouched {
                Ok(())
            } else {
                Err("another session was touched".into())
            }
        },
    );
}

#[test]
fn a_stolen_token_two_generations_old_ends_the_session_at_once() {
    stories(
        8,
        (2..6_i64, GRACE..100 * GRACE),
        |world, (older, later)| {
            let mut case = world.begin();
            for _ in 0..older {
                case.ask(0, Ask::Refresh(case.newest()))?;
            }
            case.now += later;
            match case.ask(1, Ask::Refresh(case.newest() - older))? {
                Answer::Reused => Ok(()),
                other => Err(format!("{other:?}")),
            }
        },
    );
}
