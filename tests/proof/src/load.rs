//! Refreshes without a pause over connections that stay open, and how long each took.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Fault;
use crate::client::said;
use crate::http::{Connection, Message};
use crate::pair::Pair;

/// Sessions that are refreshed in turn: each connection has its share of them, so that no two refresh one.
pub struct Turning {
    shares: Vec<Vec<Pair>>,
    /// Where each share goes on.
    next: Vec<usize>,
}

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
        for (_, (share, next, times)) in done {
            self.shares.push(share);
            self.next.push(next);
            all.extend(times);
        }
        Ok(all)
    }
}

async fn turn(
    auth: SocketAddr,
    mut share: Vec<Pair>,
    mut next: usize,
    requests: u32,
) -> Result<(Vec<Pair>, usize, Vec<Duration>), Fault> {
    let mut connection = Connection::open(auth).await?;
    let mut times = Vec::with_capacity(requests as usize);
    for _ in 0..requests {
        next %= share.len().max(1);
        let pair = share.get_mut(next).ok_or("no session to refresh")?;
        let begun = Instant::now();
        *pair = refresh(&mut connection, pair).await?;
        times.push(begun.elapsed());
        next += 1;
    }
    Ok((share, next, times))
}

/// Exchanges a pair for the next one.
///
/// # Errors
/// When it is refused.
pub async fn refresh(connection: &mut Connection, pair: &Pair) -> Result<Pair, Fault> {
    let request = Message::further("POST", "/api/account/refresh-token").json(&pair.body());
    let answer = connection.ask(&request.encode()).await?;
    Ok(Pair::of(&answer).ok_or_else(|| format!("a refresh: {}", said(Some(&answer))))?)
}

/// The one in the middle; 0 of nothing.
#[must_use]
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = figures.into_iter().collect();
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}
