//! Honest clients: they do what `web/token-client.js` does, and note what happened to them.
//!
//! The rules: a call answered `401 act: expired` (or `revoked`) refreshes; when the answer is lost the same pair
//! is sent again, once after 250 to 750 ms and then at later calls; what decides nothing (no answer, 429, 5xx)
//! keeps the pair; an answer is stored only over the pair that was sent; a refusal first reads the store again,
//! and only a refusal of the stored pair ends the session. Several tabs share one store, without any lock.

mod memory;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

pub use memory::Story;

use crate::door::Door;
use crate::faults::Counts;
use crate::http::{Message, exchange};
use crate::pair::Pair;
use crate::proxy::LANE;
use crate::stage::Account;
use memory::Memory;

/// How long a refresh may take, its second try included (8 s in a browser).
const TIMEOUT: Duration = Duration::from_secs(3);
/// How long a client that could not refresh leaves the service alone.
const PAUSE: Duration = Duration::from_secs(1);

/// What all clients share.
pub struct Scene {
    /// auth-server, behind the bad network.
    pub auth: SocketAddr,
    /// resource-api, behind the bad network.
    pub api: SocketAddr,
    /// auth-server itself: for log-ins, which are not what is proven here.
    pub direct: SocketAddr,
    /// Longer than the grace time.
    pub past_grace: Duration,
    /// What happened.
    pub counts: Arc<Counts>,
    /// Since when the traces count.
    pub begun: Instant,
    /// Becomes true at the end.
    pub stop: watch::Receiver<bool>,
}

impl Scene {
    fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Sleeps, but not past the end.
    async fn sleep(&self, time: Duration) {
        let mut stop = self.stop.clone();
        // Either way: go on.
        let _ = timeout(time, stop.wait_for(|stop| *stop)).await;
    }
}

/// What a client is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// One tab.
    Single,
    /// One tab of a laptop that is closed now and then just when an answer is lost.
    Sleeper,
    /// Several tabs with one store.
    Tabs,
}

/// One client: a store with a pair, and one or more tabs that use it.
pub struct Client {
    lane: usize,
    habit: Habit,
    account: Account,
    memory: Memory,
}

/// What came of a refresh.
enum Renewed {
    Yes,
    Later(Duration),
    SignedOut,
}

impl Client {
    /// A client that is not yet signed in.
    #[must_use]
    pub fn new(lane: usize, habit: Habit, account: Account, begun: Instant) -> Arc<Self> {
        Arc::new(Self {
            lane,
            habit,
            account,
            memory: Memory::new(begun),
        })
    }

    /// Every session that it had.
    #[must_use]
    pub fn sessions(&self) -> Vec<Uuid> {
        self.memory.sessions()
    }

    /// What must not have happened to it.
    #[must_use]
    pub fn stories(&self) -> Vec<Story> {
        self.memory.take_stories()
    }

    /// One tab, until the end.
    pub async fn tab(self: Arc<Self>, name: usize, scene: Arc<Scene>, mut dice: StdRng) {
        while !scene.stopped() {
            let Some(pair) = self.memory.stored() else {
                if name == 0 {
                    self.log_in(&scene).await;
                } else {
                    scene.sleep(Duration::from_millis(100)).await;
                }
                continue;
            };
            let wants = dice.random_range(0..100);
            if wants < 1 && self.habit == Habit::Single {
                self.log_out(&scene, &pair).await;
            } else if wants < 50 {
                // `refreshBefore`: the token is near its end.
                self.renew(&scene, &pair, name, &mut dice).await;
            } else {
                self.call(&scene, pair, name, &mut dice).await;
            }
            scene
                .sleep(Duration::from_millis(dice.random_range(0..80)))
                .await;
        }
    }

    /// After the end, on a good network: whoever was not logged out is signed in, and the API takes the token.
    pub async fn check(&self, scene: &Scene, api: SocketAddr) {
        let Some(pair) = self.memory.stored() else {
            return;
        };
        let refresh = self.account.door.refresh(&pair);
        let answer = persist(scene.direct, &refresh).await;
        let Some(fresh) = answer.as_ref().and_then(Pair::of) else {
            return self.memory.tell(
                Some(&pair),
                &format!("it is over at the end: {}", said(answer.as_ref())),
            );
        };
        let answer = persist(
            api,
            &Message::request("GET", "/api/home").bearer(&fresh.access),
        )
        .await;
        if answer.as_ref().map(Message::status) != Some(200) {
            self.memory.tell(
                Some(&fresh),
                &format!("the API refuses it at the end: {}", said(answer.as_ref())),
            );
        }
    }

    async fn log_in(&self, scene: &Scene) {
        let answered = match self.account.door {
            Door::Account => {
                let request = Message::request("POST", "/api/account/login")
                    .json(&self.account.credentials());
                exchange(scene.direct, &request, TIMEOUT).await.ok()
            }
            // Several requests, and the server may be killed between them.
            _ => self.account.try_log_in(scene.direct).await.ok(),
        };
        match answered.ok_or(()).map(|answer| (Pair::of(&answer), answer)) {
            Ok((Some(pair), _)) => {
                self.memory.sign_in(pair);
                self.memory.note("log-in");
            }
            Ok((None, answer)) if answer.status() < 500 => {
                self.memory
                    .tell(None, &format!("log-in refused: {}", said(Some(&answer))));
                sleep(PAUSE).await;
            }
            _ => scene.sleep(Duration::from_millis(100)).await,
        }
    }

    /// Logs out; once that is answered, no token of the session may be good for anything.
    async fn log_out(&self, scene: &Scene, pair: &Pair) {
        self.memory.sign_out();
        let request = self.account.door.log_out(pair);
        let answer = exchange(scene.auth, &self.laned(request), TIMEOUT).await;
        if !answer.is_ok_and(|answer| matches!(answer.status(), 200 | 204)) {
            return;
        }
        scene.counts.log_outs.up();
        let refresh = self.account.door.refresh(pair);
        let Some(answer) = persist(scene.direct, &refresh).await else {
            return;
        };
        if answer.text("code") != "session_revoked" || answer.text("reason") != "logout" {
            scene.counts.alive_after_log_out.up();
            self.memory.tell(
                Some(pair),
                &format!("after an answered log-out: {}", said(Some(&answer))),
            );
        }
    }

    async fn call(&self, scene: &Scene, pair: Pair, tab: usize, dice: &mut StdRng) {
        let request = Message::request("GET", "/api/home").bearer(&pair.access);
        let Ok(answer) = exchange(scene.api, &self.laned(request), TIMEOUT).await else {
            return;
        };
        match (answer.status(), answer.header("act")) {
            (200, _) => scene.counts.calls.up(),
            (401, Some("expired")) => self.renew(scene, &pair, tab, dice).await,
            (401, Some("revoked"))
                if self
                    .memory
                    .stored()
                    .is_some_and(|stored| stored.session() == pair.session()) =>
            {
                self.memory
                    .tell(Some(&pair), "the API calls it revoked while it lives");
                self.renew(scene, &pair, tab, dice).await;
            }
            (401, Some("revoked")) | (500.., _) => {}
            _ => self.memory.tell(
                Some(&pair),
                &format!("the API refuses it: {}", said(Some(&answer))),
            ),
        }
    }

    async fn renew(&self, scene: &Scene, failed: &Pair, tab: usize, dice: &mut StdRng) {
        let Some(sent) = self.memory.stored() else {
            return;
        };
        if sent.access != failed.access {
            return;
        }
        match self.exchange(scene, &sent, tab, dice).await {
            Renewed::Yes => {}
            Renewed::Later(pause) => scene.sleep(pause).await,
            Renewed::SignedOut => self.memory.sign_out(),
        }
    }

    async fn exchange(&self, scene: &Scene, sent: &Pair, tab: usize, dice: &mut StdRng) -> Renewed {
        let deadline = Instant::now() + TIMEOUT;
        let mut answer = self.post(scene, sent, tab, deadline).await;
        if answer.is_err() {
            if self.habit == Habit::Sleeper && dice.random_bool(0.5) && self.memory.sleep() {
                self.memory.note("asleep");
                return Renewed::Later(scene.past_grace);
            }
            scene
                .sleep(Duration::from_millis(dice.random_range(250..750)))
                .await;
            if self.memory.holds(sent) {
                answer = self.post(scene, sent, tab, deadline).await;
            }
        }
        let Ok(answer) = answer else {
            return Renewed::Later(PAUSE);
        };
        let code = answer.text("code");
        if code == "refresh_token_superseded" {
            scene.counts.superseded.up();
            if self.memory.holds(sent) {
                // Overtaken by another tab whose write has not arrived here yet.
                scene.sleep(Duration::from_millis(250)).await;
            }
        }
        if let Some(pair) = Pair::of(&answer) {
            scene.counts.refreshes.up();
            self.memory.store_over(sent, pair);
            return Renewed::Yes;
        }
        if !self.memory.holds(sent) {
            return Renewed::Yes;
        }
        if matches!(answer.status(), 200 | 400 | 401 | 403) {
            self.memory.tell(Some(sent), &said(Some(&answer)));
            return Renewed::SignedOut;
        }
        let seconds = answer
            .header("retry-after")
            .and_then(|after| after.parse().ok())
            .unwrap_or(1);
        Renewed::Later(Duration::from_secs(seconds))
    }

    async fn post(
        &self,
        scene: &Scene,
        sent: &Pair,
        tab: usize,
        deadline: Instant,
    ) -> io::Result<Message> {
        if self.memory.send(sent) {
            scene.counts.retries.up();
        }
        let generation = sent.generation();
        self.memory.note(&format!("tab {tab} sends {generation}"));
        let request = self.account.door.refresh(sent);
        let patience = deadline.saturating_duration_since(Instant::now());
        let answer = exchange(scene.auth, &self.laned(request), patience).await;
        let heard = match &answer {
            Ok(answer) => match Pair::of(answer) {
                Some(pair) => format!("for {generation} gets {}", pair.generation()),
                None => format!("for {generation} hears {}", said(Some(answer))),
            },
            Err(error) => format!("for {generation} hears nothing ({:?})", error.kind()),
        };
        self.memory.note(&format!("tab {tab} {heard}"));
        answer
    }

    fn laned(&self, request: Message) -> Message {
        request.with(LANE, self.lane.to_string())
    }
}

/// Asks until there is an answer that decides something.
pub async fn persist(to: SocketAddr, request: &Message) -> Option<Message> {
    for _ in 0..100 {
        match exchange(to, request, TIMEOUT).await {
            Ok(answer) if answer.status() < 500 => return Some(answer),
            _ => sleep(Duration::from_millis(100)).await,
        }
    }
    None
}

/// An answer in a few words.
#[must_use]
pub fn said(answer: Option<&Message>) -> String {
    match answer {
        None => "no answer".into(),
        Some(answer) => format!(
            "{} {} {}",
            answer.status(),
            answer.text("code"),
            answer.text("reason")
        )
        .trim()
        .to_owned(),
    }
}
