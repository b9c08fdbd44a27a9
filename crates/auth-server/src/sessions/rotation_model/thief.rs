//! The second promise: a copied token that is used costs the session, and only that one.

use proptest::prelude::*;

use super::table::{Answer, Ask, GRACE};
use super::{door, stories};

#[test]
fn a_thief_who_keeps_step_is_found_within_four_exchanges() {
    // Rounds in which both act, each once or more, farther apart than the grace time.
    let round = (
        any::<bool>(),
        prop_oneof![6 => Just(1), 1 => 2..4_usize],
        prop_oneof![6 => Just(1), 1 => 2..4_usize],
        GRACE..3 * GRACE,
        0..GRACE,
    );
    let before = prop::collection::vec(0..2 * GRACE, 0..4);
    stories(
        4,
        (door(), before, prop::collection::vec(round, 4)),
        |world, (door, before, rounds)| {
            let (other, mut case) = (world.begin_at(door), world.begin_at(door));
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
        (door(), 2..6_i64, GRACE..100 * GRACE),
        |world, (door, older, later)| {
            let mut case = world.begin_at(door);
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
