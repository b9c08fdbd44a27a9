//! What a client keeps: the pair that its tabs share, and its own story.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use uuid::Uuid;

use crate::pair::Pair;

/// Generations in a row that the service forgives, asked for again after the grace time.
const LATE_IN_A_ROW: u32 = 3;
/// Lines of a client's own story that are kept.
const TRACE: usize = 60;

/// The end of a session, or something else that must not be, with the client's own story.
pub struct Story {
    /// The session.
    pub session: Uuid,
    /// What must not be.
    pub what: String,
    /// What the client saw, oldest first.
    pub trace: Vec<String>,
}

pub(super) struct Memory {
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pair: Option<Pair>,
    /// The refresh token that was sent last.
    sent: String,
    /// Has the client slept since it sent that?
    slept: bool,
    late_in_a_row: u32,
    sessions: Vec<Uuid>,
    trace: VecDeque<String>,
    stories: Vec<Story>,
}

impl Memory {
    /// An empty one, whose story counts the time since `begun`.
    pub(super) fn new(begun: Instant) -> Self {
        Self {
            begun,
            state: Mutex::default(),
        }
    }

    pub(super) fn stored(&self) -> Option<Pair> {
        self.lock().pair.clone()
    }

    pub(super) fn holds(&self, pair: &Pair) -> bool {
        self.lock().holds(pair)
    }

    /// Stores the pair of a log-in.
    pub(super) fn sign_in(&self, pair: Pair) {
        let mut state = self.lock();
        state.sessions.push(pair.session());
        state.late_in_a_row = 0;
        state.pair = Some(pair);
    }

    pub(super) fn sign_out(&self) {
        self.lock().pair = None;
    }

    /// Stores an answer, if what was sent is still what is stored.
    pub(super) fn store_over(&self, sent: &Pair, pair: Pair) {
        let mut state = self.lock();
        if state.holds(sent) {
            state.late_in_a_row = if state.slept {
                state.late_in_a_row + 1
            } else {
                0
            };
            state.slept = false;
            state.pair = Some(pair);
        }
    }

    /// Notes that a pair is sent; was it sent before?
    pub(super) fn send(&self, pair: &Pair) -> bool {
        let mut state = self.lock();
        let again = state.sent == pair.refresh;
        if !again {
            state.slept = false;
            state.sent.clone_from(&pair.refresh);
        }
        again
    }

    /// Falls asleep, unless the next generation would be the fourth in a row that is asked for again only
    /// afterwards: nobody can tell that from a thief, and a network that bad is not simulated.
    pub(super) fn sleep(&self) -> bool {
        let mut state = self.lock();
        let may = state.late_in_a_row < LATE_IN_A_ROW;
        state.slept |= may;
        may
    }

    /// Adds a line to the story.
    pub(super) fn note(&self, line: &str) {
        let line = format!("{:8.3} s  {line}", self.begun.elapsed().as_secs_f64());
        let mut state = self.lock();
        if state.trace.len() == TRACE {
            state.trace.pop_front();
        }
        state.trace.push_back(line);
    }

    /// Keeps what must not be, about this pair or about none.
    pub(super) fn tell(&self, pair: Option<&Pair>, what: &str) {
        let mut state = self.lock();
        let trace = state.trace.iter().cloned().collect();
        let session = pair.map(Pair::session).unwrap_or_default();
        let generation = pair.map(Pair::generation).unwrap_or_default();
        state.stories.push(Story {
            session,
            what: format!("generation {generation}: {what}"),
            trace,
        });
    }

    pub(super) fn sessions(&self) -> Vec<Uuid> {
        self.lock().sessions.clone()
    }

    pub(super) fn take_stories(&self) -> Vec<Story> {
        std::mem::take(&mut self.lock().stories)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn holds(&self, pair: &Pair) -> bool {
        self.pair
            .as_ref()
            .is_some_and(|stored| stored.refresh == pair.refresh)
    }
}
