//! Thieves: they copy the pair of a session and use it beside its owner.
//!
//! Every turn lies farther from the one before than the grace time, since within it no server can tell a copy
//! from the owner's own retry. However a thief goes about it, the session has ended after four exchanges, an
//! exchange being one turn of the owner and one of the thief.

use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};

use crate::Fault;
use crate::client::{Story, persist, said};
use crate::door::Door;
use crate::http::Message;
use crate::pair::Pair;
use crate::stage::Account;

/// Longer than the grace time of [`GRACE`], whatever the part of the second.
const TURN: Duration = Duration::from_millis(1100);

/// `REFRESH_GRACE` of a run with thieves.
pub const GRACE: &str = "1s";

/// Exchanges after which every thief has been found.
pub const EXCHANGES: usize = 4;

/// How long the API may take to hear of an ending; twice the promise, on a machine under load.
const HEARD_WITHIN: Duration = Duration::from_secs(2);

/// How a thief goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// He keeps the copy until the owner is this many generations on, and uses it once.
    Replay(usize),
    /// He takes turns with the owner; in each turn he refreshes this often, and comes first or second.
    KeepStep {
        /// Refreshes in a turn.
        times: usize,
        /// Before the owner?
        first: bool,
    },
}

impl Plan {
    /// A plan by chance.
    pub fn of(dice: &mut StdRng) -> Self {
        if dice.random_bool(0.3) {
            Self::Replay(dice.random_range(2..5))
        } else {
            Self::KeepStep {
                times: dice.random_range(1..3),
                first: dice.random_bool(0.5),
            }
        }
    }
}

/// What came of a theft.
pub struct Theft {
    /// The plan.
    pub plan: Plan,
    /// The exchange in which the session ended; `None` if it lives on.
    pub ended_at: Option<usize>,
    /// What is not as promised.
    pub stories: Vec<Story>,
}

/// Where a theft takes place.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// auth-server.
    pub auth: SocketAddr,
    /// resource-api.
    pub api: SocketAddr,
    /// Where sessions turn over.
    pub door: Door,
}

impl Place {
    async fn refresh(self, pair: &Pair) -> Result<Message, Fault> {
        let request = self.door.refresh(pair);
        persist(self.auth, &request)
            .await
            .ok_or_else(|| "auth-server does not answer".into())
    }

    /// Steals a session's pair and carries out the plan.
    ///
    /// # Errors
    /// When the services do not answer.
    pub async fn theft(self, account: &Account, plan: Plan) -> Result<Theft, Fault> {
        let begun = Instant::now();
        let mut held = [
            account.log_in(self.auth).await?,
            account.log_in(self.auth).await?,
        ];
        held[1] = held[0].clone();
        let mut trace = Vec::new();
        let mut ended_at = None;
        let (exchanges, owner, thief, first) = match plan {
            Plan::Replay(older) => (1, older, 1, 0),
            Plan::KeepStep { times, first } => (EXCHANGES, 1, times, usize::from(first)),
        };
        'theft: for exchange in 1..=exchanges {
            for who in [first, 1 - first] {
                sleep(TURN).await;
                for _ in 0..if who == 0 { owner } else { thief } {
                    let Some(pair) = held.get_mut(who) else {
                        continue;
                    };
                    let answer = self.refresh(pair).await?;
                    let seconds = begun.elapsed().as_secs_f64();
                    let name = if who == 0 { "owner" } else { "thief" };
                    trace.push(format!(
                        "{seconds:8.3} s  {name} sends {}: {}",
                        pair.generation(),
                        said(Some(&answer))
                    ));
                    match Pair::of(&answer) {
                        Some(next) => *pair = next,
                        None if answer.text("code") == "refresh_token_reused" => {
                            ended_at = Some(exchange);
                            break 'theft;
                        }
                        None => break 'theft,
                    }
                }
            }
        }
        let mut theft = Theft {
            plan,
            ended_at,
            stories: Vec::new(),
        };
        for what in self.not_over(&held, ended_at).await? {
            theft.stories.push(Story {
                session: held[0].session(),
                what: format!("{plan:?}: {what}"),
                trace: trace.clone(),
            });
        }
        Ok(theft)
    }

    /// After the end neither has anything that is good for anything.
    async fn not_over(
        self,
        held: &[Pair; 2],
        ended_at: Option<usize>,
    ) -> Result<Vec<String>, Fault> {
        if ended_at.is_none() {
            return Ok(vec![format!(
                "the session did not end within {EXCHANGES} exchanges for reuse"
            )]);
        }
        let mut faults = Vec::new();
        for (name, pair) in ["owner", "thief"].iter().zip(held) {
            let answer = self.refresh(pair).await?;
            if answer.text("code") != "session_revoked" || answer.text("reason") != "reuse" {
                faults.push(format!(
                    "the {name}'s pair afterwards: {}",
                    said(Some(&answer))
                ));
            }
            let until = Instant::now() + HEARD_WITHIN;
            loop {
                let call = Message::request("GET", "/api/home").bearer(&pair.access);
                let answer = persist(self.api, &call).await;
                if answer
                    .as_ref()
                    .is_some_and(|answer| answer.text("code") == "token_revoked")
                {
                    break;
                }
                if Instant::now() > until {
                    faults.push(format!(
                        "the API takes the {name}'s token: {}",
                        said(answer.as_ref())
                    ));
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(faults)
    }

    /// A session of the same account that nobody steals: refreshed and used until `until`, it must live.
    ///
    /// # Errors
    /// When the services do not answer.
    pub async fn bystander(
        self,
        account: &Account,
        until: Instant,
    ) -> Result<Option<Story>, Fault> {
        let mut pair = account.log_in(self.auth).await?;
        let mut trace = Vec::new();
        while Instant::now() < until {
            let answer = self.refresh(&pair).await?;
            trace.push(format!(
                "sends {}: {}",
                pair.generation(),
                said(Some(&answer))
            ));
            let call = Message::request("GET", "/api/home").bearer(&pair.access);
            let called = persist(self.api, &call)
                .await
                .map_or(0, |answer| answer.status());
            match Pair::of(&answer) {
                Some(next) if called == 200 => pair = next,
                _ => {
                    let what = format!(
                        "nobody stole it: {}; the API says {called}",
                        said(Some(&answer))
                    );
                    return Ok(Some(Story {
                        session: pair.session(),
                        what,
                        trace,
                    }));
                }
            }
            sleep(Duration::from_millis(700)).await;
        }
        Ok(None)
    }
}
