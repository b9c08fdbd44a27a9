//! Who may have how many connections at once.
//!
//! One address must not shut the others out, so each may have a part of what the process can have at all. Nor
//! must many together: before all are taken, those who have the most make room for whoever comes.
//! A trusted proxy speaks for many, and has no such bound but that of the process.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::seats::{Seats, Taken};
use crate::client_address::{TrustedProxies, network};

/// Connections that one address has at most, however many the process may have.
const MOST_PER_ADDRESS: usize = 1024;

/// TLS handshakes that one address has unfinished at most, others wait: each takes a fraction of a second.
const MOST_HANDSHAKES: usize = 128;

/// What a process may have, and what of it is taken.
#[derive(Debug)]
pub(super) struct Admission {
    most: usize,
    per_address: usize,
    handshakes: usize,
    proxies: TrustedProxies,
    all: AtomicUsize,
    /// Taken when a connection begins and ends, never for a request.
    seats: Mutex<Seats>,
    open: IntGauge,
    refused: IntCounterVec,
    gave_way: IntCounter,
}

impl Admission {
    /// Divides `most` connections.
    ///
    /// # Errors
    /// If the metrics have been registered before.
    pub(super) fn new(
        most: usize,
        proxies: TrustedProxies,
        registry: &Registry,
    ) -> Result<Arc<Self>, prometheus::Error> {
        let open = IntGauge::new("keyturn_connections", "Connections that are open")?;
        let refused = IntCounterVec::new(
            Opts::new(
                "keyturn_connections_refused_total",
                "Connections closed at once, since their address or the process has too many, or without a turn for their TLS handshake",
            ),
            &["reason"],
        )?;
        let gave_way = IntCounter::new(
            "keyturn_connections_gave_way_total",
            "Connections of the address with the most that were closed to let another one in",
        )?;
        for reason in ["connections", "handshakes", "full"] {
            refused.with_label_values(&[reason]);
        }
        registry.register(Box::new(open.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        registry.register(Box::new(gave_way.clone()))?;
        let per_address = (most / 4).clamp(1, MOST_PER_ADDRESS);
        Ok(Arc::new(Self {
            most,
            per_address,
            handshakes: (per_address / 2).clamp(1, MOST_HANDSHAKES),
            proxies,
            all: AtomicUsize::new(0),
            seats: Mutex::new(Seats::new()),
            open,
            refused,
            gave_way,
        }))
    }

    /// Takes a connection in, unless its address has too many, or the process has all that it may have. When few
    /// are left, another one is asked to leave for it.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Admitted> {
        let peer = peer.to_canonical();
        let bounded = (!self.proxies.trusts(peer)).then(|| network(peer));
        let mut seats = self.seats();
        if bounded.is_some_and(|network| seats.of(network) >= self.per_address) {
            self.refused.with_label_values(&["connections"]).inc();
            return None;
        }
        // Not only when all are taken: whoever is asked needs a moment to leave.
        if self.all.load(Ordering::Relaxed) >= self.most - (self.most / 8).max(1)
            && seats.make_room(Instant::now())
        {
            self.gave_way.inc();
        }
        let taken = bounded.map(|network| seats.take(network, self.handshakes));
        drop(seats);
        let before = self.all.fetch_add(1, Ordering::Relaxed);
        self.open.inc();
        // What it took it gives back when it is dropped, refused or not.
        let admitted = Admitted {
            admission: Arc::clone(self),
            taken,
        };
        if before >= self.most {
            self.refused.with_label_values(&["full"]).inc();
            return None;
        }
        Some(admitted)
    }

    /// Whether few connections are left.
    pub(super) fn is_short(&self) -> bool {
        self.all.load(Ordering::Relaxed) >= self.most - self.most / 4
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that was taken in. Dropping it makes room.
#[derive(Debug)]
pub(super) struct Admitted {
    admission: Arc<Admission>,
    /// `None`: a trusted proxy's.
    taken: Option<Taken>,
}

impl Admitted {
    /// Whether it is a trusted proxy's.
    pub(super) fn is_trusted(&self) -> bool {
        self.taken.is_none()
    }

    /// Notes whether something is asked or answered on it, and since when that is so.
    pub(super) fn note(&self, busy: bool, since: Instant) {
        if let Some(taken) = &self.taken {
            taken.seat.note(busy, since);
        }
    }

    /// Completes when it is to give way to another one.
    pub(super) async fn gives_way(&self) {
        match &self.taken {
            Some(taken) => taken.seat.leave().await,
            None => std::future::pending().await,
        }
    }

    /// Waits for a turn to begin a TLS handshake: the address has so many unfinished ones, until the turn is
    /// dropped. `None`: it needs none.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turns = Arc::clone(&self.taken.as_ref()?.handshakes);
        // Nobody closes it.
        turns.acquire_owned().await.ok()
    }

    /// Counts that there was none in time.
    pub(super) fn had_no_turn(&self) {
        let refused = &self.admission.refused;
        refused.with_label_values(&["handshakes"]).inc();
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.all.fetch_sub(1, Ordering::Relaxed);
        self.admission.open.dec();
        if let Some(taken) = &self.taken {
            self.admission.seats().give_back(taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn admission(most: usize, proxies: &str) -> Arc<Admission> {
        Admission::new(most, proxies.parse().unwrap(), &Registry::new()).unwrap()
    }

    fn refused(admission: &Admission, reason: &str) -> u64 {
        admission.refused.with_label_values(&[reason]).get()
    }

    #[test]
    fn one_address_gets_a_quarter_and_shuts_nobody_out() {
        let all = admission(444, "");
        let mut held: Vec<_> = (0..444)
            .filter_map(|_| all.admit(ip("203.0.113.9")))
            .collect();
        assert_eq!(held.len(), 111);
        assert_eq!(refused(&all, "connections"), 444 - 111);
        // The same one in its other spelling.
        assert!(all.admit(ip("::ffff:203.0.113.9")).is_none());
        assert!(all.admit(ip("203.0.113.10")).is_some());
        held.pop();
        assert!(all.admit(ip("203.0.113.9")).is_some());
        drop(held);
        assert_eq!(all.all.load(Ordering::Relaxed), 0);
        assert!(all.seats().is_empty());
    }

    #[test]
    fn nobody_gets_more_than_the_process_may_have_not_even_a_proxy() {
        let all = admission(40, "10.0.0.0/8");
        let mut proxy: Vec<_> = (0..60).filter_map(|_| all.admit(ip("10.1.2.3"))).collect();
        assert_eq!(proxy.len(), 40);
        assert_eq!(refused(&all, "full"), 20);
        assert!(all.admit(ip("203.0.113.9")).is_none());
        // A refusal leaves nothing behind.
        assert!(all.seats().is_empty());
        assert_eq!(all.all.load(Ordering::Relaxed), 40);
        proxy.pop();
        assert!(all.admit(ip("203.0.113.9")).is_some());
    }

    #[test]
    fn a_household_is_one_address() {
        let all = admission(40, "");
        let held: Vec<_> = (0..40)
            .filter_map(|n| all.admit(ip(&format!("2001:db8::{n:x}"))))
            .collect();
        assert_eq!(held.len(), 10);
        assert!(all.admit(ip("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn loopback_counts_like_any_address_and_a_trusted_proxy_does_not() {
        let all = admission(40, "10.0.0.0/8");
        let own: Vec<_> = (0..40).filter_map(|_| all.admit(ip("127.0.0.1"))).collect();
        assert_eq!(own.len(), 10);
        let proxy: Vec<_> = (0..30).filter_map(|_| all.admit(ip("10.1.2.3"))).collect();
        assert_eq!(proxy.len(), 30);
        assert!(proxy.iter().all(|one| one.turn().now_or_never().is_some()));
        assert!(all.is_short());
    }

    #[test]
    fn however_many_the_process_may_have_an_address_has_1024() {
        let all = admission(65_000, "");
        let held: Vec<_> = (0..2_000)
            .filter_map(|_| all.admit(ip("203.0.113.9")))
            .collect();
        assert_eq!(held.len(), 1024);
        let mut turns: Vec<_> = held
            .iter()
            .filter_map(|one| one.turn().now_or_never())
            .collect();
        assert_eq!(turns.len(), MOST_HANDSHAKES);
        let waiting = held.last().unwrap();
        assert!(waiting.turn().now_or_never().is_none());
        let other = all.admit(ip("203.0.113.10")).unwrap();
        assert!(other.turn().now_or_never().is_some());
        // Who is through makes room.
        turns.pop();
        assert!(waiting.turn().now_or_never().is_some());
    }

    #[test]
    fn many_addresses_together_make_room_for_one_more() {
        for hostile in [5, 20, 400] {
            let all = admission(444, "10.0.0.0/8");
            let mut held = Vec::new();
            for n in (0..hostile).cycle().take(900) {
                held.extend(all.admit(ip(&format!("2001:db8:0:{n:x}::1"))));
                // Whoever is asked leaves.
                held.retain(|one| one.gives_way().now_or_never().is_none());
            }
            let newcomer = all.admit(ip("203.0.113.9")).unwrap();
            newcomer.note(true, Instant::now());
            let proxy = all.admit(ip("10.0.0.1")).unwrap();
            for n in (0..hostile).cycle().take(900) {
                held.extend(all.admit(ip(&format!("2001:db8:0:{n:x}::1"))));
                held.retain(|one| one.gives_way().now_or_never().is_none());
            }
            assert!(newcomer.gives_way().now_or_never().is_none(), "{hostile}");
            assert!(proxy.gives_way().now_or_never().is_none());
            assert_eq!(refused(&all, "full"), 0);
            assert!(all.gave_way.get() > 500);
        }
    }
}
