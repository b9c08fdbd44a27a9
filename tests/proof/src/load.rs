//! Refreshes without a pause over connections that stay open, and how long each took.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::Fault;
use crate::client::said;
use crate::filling::AGENT;
use crate::http::{Connection, Message};
use crate::pair::Pair;

/// Sessions that are refreshed in turn: each connection has its share of them, so that no two refresh one.
pub struct Turning {
    shares: Vec<Vec<Pair>>,
    /// Where each share goes on.
    next: Vec<usize>,
    /// Refreshes that were answered 503, and made again with the same pair.
    pub repeated: u32,
}

/// How often a refresh that is answered 503 is made again, and after how long.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

impl Turning {
    /// Deals the pairs out to `connections`; as many as there are pairs, if that is fewer.
    #[must_use]
    pub fn new(pairs: Vec<Pair>, connections: usize) -> Self {
        let count = connections.min(pairs.len()).max(1);
        let mut shares = vec![Vec::new(); count];
        for (n, pair) in pairs.into_iter().enumerate() {
            if let Some(share) = shares.get_mut(n % count) {
                share.push(pair);
            }
        }
        Self {
            shares,
            next: vec![0; count],
            repeated: 0,
        }
    }

    /// Refreshes about `requests` times, the least recently refreshed session of each share first, and gives how
    /// long each took.
    ///
    /// # Errors
    /// When one is refused: each pair is the latest of its session.
    pub async fn refresh(
        &mut self,
        auth: SocketAddr,
        requests: u32,
    ) -> Result<Vec<Duration>, Fault> {
        let each = requests / u32::try_from(self.shares.len())?;
        let mut connections = JoinSet::new();
        for (n, (share, next)) in self.shares.drain(..).zip(self.next.drain(..)).enumerate() {
            connections.spawn(async move {
                let done = turn(auth, share, next, each).await?;
                Ok::<_, Fault>((n, done))
            });
        }
        let mut done = Vec::new();
        while let Some(turned) = connections.join_next().await {
            done.push(turned??);
        }
        done.sort_unstable_by_key(|(n, _)| *n);
        let mut all = Vec::new();
        for (_, turned) in done {
            self.shares.push(turned.share);
            self.next.push(turned.next);
            self.repeated += turned.repeated;
            all.extend(turned.times);
        }
        Ok(all)
    }
}

/// What came of a share.
struct Turned {
    share: Vec<Pair>,
    next: usize,
    repeated: u32,
    times: Vec<Duration>,
}

async fn turn(
    auth: SocketAddr,
    share: Vec<Pair>,
    next: usize,
    requests: u32,
) -> Result<Turned, Fault> {
    let mut connection = Connection::open(auth).await?;
    let mut turned = Turned {
        share,
        next,
        repeated: 0,
        times: Vec::with_capacity(requests as usize),
    };
    for _ in 0..requests {
        turned.next %= turned.share.len().max(1);
        let pair = turned.share.get_mut(turned.next);
        let pair = pair.ok_or("no session to refresh")?;
        let begun = Instant::now();
        let (fresh, repeated) = refresh(&mut connection, pair).await?;
        *pair = fresh;
        turned.times.push(begun.elapsed());
        turned.next += 1;
        turned.repeated += repeated;
    }
    Ok(turned)
}

/// Exchanges a pair for the next one, and tells how often it took another try.
async fn refresh(connection: &mut Connection, pair: &Pair) -> Result<(Pair, u32), Fault> {
    let request = Message::further("POST", "/api/account/refresh-token")
        .with("user-agent", AGENT)
        .json(&pair.body())
        .encode();
    let mut repeated = 0;
    loop {
        let answer = connection.ask(&request).await?;
        match Pair::of(&answer) {
            Some(fresh) => return Ok((fresh, repeated)),
            None if answer.status() == 503 && repeated < TRIES => repeated += 1,
            None => return Err(format!("a refresh: {}", said(Some(&answer))).into()),
        }
        sleep(PAUSE).await;
    }
}

/// The one in the middle; 0 of nothing.
#[must_use]
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = figures.into_iter().collect();
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}
