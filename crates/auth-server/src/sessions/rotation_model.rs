//! The rotation rules against a model, over thousands of stories that nobody would think of.
//!
//! The rules run as they are, on a SQLite file that two replicas share; only time is the test's. A story is
//! a list of steps; [`table`] says what the contract answers to each.

mod codes;
mod honest;
mod programs;
mod table;
mod thief;
mod waiting;
mod world;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use table::{ABSOLUTE, Answer, Ask, GRACE, IDLE};
use world::{Case, Door, World};

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
    /// This many times: refresh, and come again with the same token after the grace time.
    Late(usize),
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
        1 => (1..6_usize).prop_map(Step::Late),
        2 => Just(Step::Save),
        2 => Just(Step::Restore),
    ]
}

/// The same table serves both.
fn door() -> impl Strategy<Value = Door> {
    prop::sample::select(vec![Door::Account, Door::Client])
}

#[test]
fn every_answer_is_the_tables_and_nothing_else_is_touched() {
    let story = (door(), prop::collection::vec(step(), 1..40));
    stories(2, story, |world, (door, story)| {
        let other = world.begin_at(door);
        let untouched = other.row();
        let mut case = world.begin_at(door);
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
                Step::Late(times) => {
                    for _ in 0..times {
                        case.ask(0, Ask::Refresh(case.newest()))?;
                        case.now += GRACE;
                        case.ask(1, Ask::Refresh((case.newest() - 1).max(1)))?;
                    }
                }
                Step::Save => (backup, restored) = (case.save(), false),
                Step::Restore => {
                    case.restore(&backup);
                    (restored, logged_out) = (true, false);
                    continue;
                }
            }
            if case.row().0.generation.0 < before {
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

#[test]
fn a_session_that_is_over_by_one_clock_and_lives_by_another_does_not_survive_a_block() {
    let world = World::new();
    let mut case = world.begin();
    case.now += IDLE;
    case.end_all();
    // A refresh that arrived before and waited for the database, or came to a replica that is behind.
    case.now -= 5;
    assert_eq!(case.ask(0, Ask::Refresh(1)), Ok(Answer::Over("blocked")));
}

#[test]
fn a_role_that_was_taken_away_during_a_log_in_is_not_in_its_token() {
    let world = World::new();
    for roles in [vec!["admin".to_owned()], vec![]] {
        world.set_roles(&roles);
        assert_eq!(world.roles(&world.begin().access), roles);
    }
}
