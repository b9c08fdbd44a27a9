//! The beginning of a client's session: a code, fetched once, by whom it was made for.

use proptest::prelude::*;

use super::stories;
use super::table::MORNING;
use super::waiting::{Waiting, Words};
use crate::error::Error;
use crate::sessions::AppTokens;

/// Seconds that a code waits, and that a second exchange is forgiven.
const LIFE: i64 = 60;
const TWICE: i64 = 10;

#[derive(Clone, Debug)]
enum Step {
    Wait(i64),
    Exchange {
        replica: usize,
        wrong: Option<Wrong>,
    },
    SignOut,
    EndAll,
    Refresh,
}

#[derive(Clone, Copy, Debug)]
enum Wrong {
    Client,
    Redirect,
    Verifier,
}

fn step() -> impl Strategy<Value = Step> {
    use Wrong::{Client, Redirect, Verifier};
    let wrong = prop::sample::select(vec![
        None,
        None,
        None,
        Some(Client),
        Some(Redirect),
        Some(Verifier),
    ]);
    prop_oneof![
        4 => prop::sample::select(vec![0, 1, 9, 10, 11, 30, 59, 60]).prop_map(Step::Wait),
        6 => (0..2_usize, wrong).prop_map(|(replica, wrong)| Step::Exchange { replica, wrong }),
        1 => Just(Step::SignOut),
        1 => Just(Step::EndAll),
        3 => Just(Step::Refresh),
    ]
}

/// What the contract says of the session, told by its history.
#[derive(Default)]
struct History {
    fetched_at: Option<i64>,
    ended: Option<&'static str>,
    /// The browser's session is over.
    signed_out: bool,
    /// Log-outs that the client is to be told of.
    told: usize,
}

impl History {
    /// The browser's session ends, and with it the client's. Whoever never fetched anything does not know of it.
    fn sign_out(&mut self, reason: &'static str) {
        // Of a theft it was told already.
        if !self.signed_out && self.fetched_at.is_some() && self.ended != Some("reuse") {
            self.told += 1;
        }
        self.ended = self.ended.or(Some(reason));
        self.signed_out = true;
    }

    /// Whether an exchange brings tokens; and what becomes of the session.
    fn exchange(&mut self, wrong: Option<Wrong>, now: i64) -> bool {
        if now >= MORNING + LIFE || self.ended.is_some() {
            return false;
        }
        match (self.fetched_at, wrong) {
            // A stranger changes nothing, and neither does who comes later without the verifier.
            (_, Some(Wrong::Client)) | (Some(_), Some(Wrong::Verifier)) => false,
            (None, None) => {
                self.fetched_at = Some(now);
                true
            }
            (None, Some(_)) => {
                self.ended = Some("reuse");
                false
            }
            // Where it goes is no longer asked: who has the verifier is who asked, or has all that he had.
            (Some(at), None | Some(Wrong::Redirect)) => {
                if now >= at + TWICE {
                    self.ended = Some("reuse");
                    self.told += 1;
                }
                false
            }
        }
    }
}

fn words(wrong: Option<Wrong>) -> Words {
    let right = Words::right();
    match wrong {
        None => right,
        Some(Wrong::Client) => Words {
            client: "another",
            ..right
        },
        Some(Wrong::Redirect) => Words {
            redirect: "https://shop.example/other",
            ..right
        },
        Some(Wrong::Verifier) => Words {
            verifier: "another-verifier-that-is-long-enough-for-the-standard",
            ..right
        },
    }
}

fn refresh_token(tokens: Result<AppTokens, Error>) -> String {
    tokens.ok().unwrap().refresh.unwrap().0
}

#[test]
fn a_code_is_fetched_once_by_whom_it_was_made_for_and_by_nobody_after_a_log_out() {
    stories(4, prop::collection::vec(step(), 1..12), |world, story| {
        let waiting = world.ask_for_code();
        let (mut history, mut now) = (History::default(), MORNING);
        let mut refresh = None;
        for step in story {
            match step {
                Step::Wait(seconds) => now += seconds,
                Step::SignOut => {
                    waiting.sign_out(now);
                    history.sign_out("logout");
                }
                Step::EndAll => {
                    waiting.end_all(now);
                    history.sign_out("blocked");
                }
                Step::Exchange { replica, wrong } => {
                    let expected = history.exchange(wrong, now);
                    match (waiting.exchange(replica, now, &words(wrong)), expected) {
                        (Ok(tokens), true) => refresh = tokens.refresh.map(|(token, _)| token),
                        (Err(Error::InvalidCode), false) => {}
                        (Ok(_), false) => return Err(format!("{wrong:?} at {now}: tokens")),
                        (Err(other), _) => return Err(format!("{wrong:?} at {now}: {other}")),
                    }
                }
                Step::Refresh => {
                    if let Some(token) = &refresh {
                        match waiting.refresh(token, now) {
                            Ok(tokens) if history.ended.is_none() => {
                                refresh = tokens.refresh.map(|(token, _)| token);
                            }
                            Err(Error::SessionOver(_)) if history.ended.is_some() => {}
                            Ok(_) => return Err("alive after its end".into()),
                            Err(other) => return Err(format!("refresh at {now}: {other}")),
                        }
                    }
                }
            }
            if waiting.told() != history.told {
                return Err(format!(
                    "told {} times instead of {}",
                    waiting.told(),
                    history.told
                ));
            }
            if waiting.ended() != history.ended {
                return Err(format!(
                    "{:?} instead of {:?}",
                    waiting.ended(),
                    history.ended
                ));
            }
        }
        Ok(())
    });
}

fn begun(world: &super::World) -> (Waiting<'_>, String) {
    let waiting = world.ask_for_code();
    let refresh = refresh_token(waiting.exchange(0, MORNING, &Words::right()));
    (waiting, refresh)
}

#[test]
fn a_row_that_was_set_back_to_before_its_exchange_catches_up_with_its_client() {
    let world = super::World::new();
    let (waiting, first) = begun(&world);
    let second = refresh_token(waiting.refresh(&first, MORNING + 100));
    waiting.restore();
    // Hours later, when the code is long over.
    let third = refresh_token(waiting.refresh(&second, MORNING + 5000));
    assert_ne!(third, second);
    assert_eq!(waiting.ended(), None);
    refresh_token(waiting.refresh(&third, MORNING + 5100));
    // The code of the row as it was is good for nobody.
    let again = waiting.exchange(0, MORNING + 5200, &Words::right());
    assert!(matches!(again, Err(Error::InvalidCode)));
}

#[test]
fn another_clients_token_neither_ends_nor_ages_a_session() {
    let world = super::World::new();
    let (waiting, first) = begun(&world);
    let second = refresh_token(waiting.refresh(&first, MORNING + 100));
    for (token, at) in [(&first, 1000), (&second, 1001)] {
        let refused = waiting.refresh_as("another", token, MORNING + at);
        assert!(matches!(refused, Err(Error::InvalidRefreshToken)), "{at}");
    }
    assert_eq!(waiting.ended(), None);
    refresh_token(waiting.refresh(&second, MORNING + 1002));
}

#[test]
fn what_changes_between_the_look_at_a_code_and_its_exchange_stops_the_exchange() {
    // A world for each: what is changed stays so.
    let stopped = |change: fn(&Waiting<'_>) -> String| {
        let world = super::World::new();
        let waiting = world.ask_for_code();
        !waiting.fetch_after(&change(&waiting))
    };
    assert!(!stopped(|_| "SELECT 1".into()), "nothing changed");
    assert!(stopped(|it| {
        let browser = it.browser;
        format!("UPDATE sessions SET ended_at = 1, end_reason = 'logout' WHERE id = '{browser}'")
    }));
    assert!(stopped(|it| {
        let browser = it.browser;
        format!("DELETE FROM sessions WHERE id = '{browser}'")
    }));
    assert!(stopped(|_| "UPDATE clients SET blocked_at = 1".into()));
    assert!(stopped(|_| "DELETE FROM clients".into()));
    assert!(stopped(|it| format!(
        "UPDATE sessions SET ended_at = 1 WHERE id = '{}'",
        it.id
    )));
    assert!(stopped(|it| format!(
        "UPDATE sessions SET generation = 1 WHERE id = '{}'",
        it.id
    )));
    assert!(stopped(|it| format!(
        "UPDATE sessions SET client_id = 'another' WHERE id = '{}'",
        it.id
    )));
    assert!(stopped(|it| format!(
        "UPDATE sessions SET user_id = NULL WHERE id = '{}'",
        it.id
    )));
}
