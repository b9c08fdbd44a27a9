//! Who may have how many connections at once.
//!
//! One address must not shut the others out, so each may have a part of what the process can have at all.
//! A trusted proxy speaks for many, and has no such bound but that of the process.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

use crate::client_address::{TrustedProxies, network};

/// Connections that one address has at most, however many the process may have.
const MOST_PER_ADDRESS: usize = 1024;

/// TLS handshakes that one address has unfinished at most: each takes a fraction of a second.
const MOST_HANDSHAKES: usize = 128;

/// What a process may have, and what of it is taken.
#[derive(Debug)]
pub(super) struct Admission {
    most: usize,
    per_address: usize,
    handshakes: usize,
    proxies: TrustedProxies,
    all: AtomicUsize,
    /// Addresses with a connection; taken when one begins and ends, never for a request.
    held: Mutex<HashMap<IpNet, Held>>,
    open: IntGauge,
    refused: IntCounterVec,
}

#[derive(Debug, Default)]
struct Held {
    connections: usize,
    handshakes: usize,
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
                "Connections closed at once, since their address has too many connections or TLS handshakes, or the process has",
            ),
            &["reason"],
        )?;
        for reason in ["connections", "handshakes", "full"] {
            refused.with_label_values(&[reason]);
        }
        registry.register(Box::new(open.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        let per_address = (most / 4).clamp(1, MOST_PER_ADDRESS);
        Ok(Arc::new(Self {
            most,
            per_address,
            handshakes: (per_address / 2).clamp(1, MOST_HANDSHAKES),
            proxies,
            all: AtomicUsize::new(0),
            held: Mutex::default(),
            open,
            refused,
        }))
    }

    /// Takes a connection in, unless its address has too many, or the process has all that it may have.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Admitted> {
        let peer = peer.to_canonical();
        let bounded = (!self.proxies.trusts(peer)).then(|| network(peer));
        if let Some(network) = bounded {
            self.take(network, "connections", self.per_address, |held| {
                &mut held.connections
            })?;
        }
        let taken = self.all.fetch_add(1, Ordering::Relaxed);
        self.open.inc();
        // What it took it gives back when it is dropped, refused or not.
        let admitted = Admitted {
            admission: Arc::clone(self),
            network: bounded,
        };
        if taken >= self.most {
            self.refused.with_label_values(&["full"]).inc();
            return None;
        }
        Some(admitted)
    }

    /// Whether few connections are left.
    pub(super) fn is_short(&self) -> bool {
        self.all.load(Ordering::Relaxed) >= self.most - self.most / 4
    }

    fn take(
        &self,
        network: IpNet,
        reason: &str,
        most: usize,
        count: fn(&mut Held) -> &mut usize,
    ) -> Option<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = count(held.entry(network).or_default());
        if *count >= most {
            self.refused.with_label_values(&[reason]).inc();
            return None;
        }
        *count += 1;
        Some(())
    }

    fn give_back(&self, network: IpNet, count: fn(&mut Held) -> &mut usize) {
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut held) = all.entry(network) {
            let left = count(held.get_mut());
            *left = left.saturating_sub(1);
            if held.get().connections == 0 {
                held.remove();
            }
        }
    }
}

/// A connection that was taken in. Dropping it makes room.
#[derive(Debug)]
pub(super) struct Admitted {
    admission: Arc<Admission>,
    /// `None`: a trusted proxy's.
    network: Option<IpNet>,
}

impl Admitted {
    /// Whether it is a trusted proxy's.
    pub(super) fn is_trusted(&self) -> bool {
        self.network.is_none()
    }

    /// Begins a TLS handshake, unless the address has too many unfinished ones.
    pub(super) fn shake_hands(&self) -> Option<Handshake<'_>> {
        let admission = &self.admission;
        if let Some(network) = self.network {
            admission.take(network, "handshakes", admission.handshakes, |held| {
                &mut held.handshakes
            })?;
        }
        Some(Handshake(self))
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.all.fetch_sub(1, Ordering::Relaxed);
        self.admission.open.dec();
        if let Some(network) = self.network {
            self.admission
                .give_back(network, |held| &mut held.connections);
        }
    }
}

/// An unfinished handshake. Dropping it makes room for another.
#[derive(Debug)]
pub(super) struct Handshake<'a>(&'a Admitted);

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        if let Some(network) = self.0.network {
            self.0
                .admission
                .give_back(network, |held| &mut held.handshakes);
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert!(all.held.lock().unwrap().is_empty());
    }

    #[test]
    fn nobody_gets_more_than_the_process_may_have_not_even_a_proxy() {
        let all = admission(40, "10.0.0.0/8");
        let mut proxy: Vec<_> = (0..60).filter_map(|_| all.admit(ip("10.1.2.3"))).collect();
        assert_eq!(proxy.len(), 40);
        assert_eq!(refused(&all, "full"), 20);
        assert!(all.admit(ip("203.0.113.9")).is_none());
        // A refusal leaves nothing behind.
        assert!(all.held.lock().unwrap().is_empty());
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
        assert!(proxy.iter().all(|one| one.shake_hands().is_some()));
        assert!(all.is_short());
    }

    #[test]
    fn however_many_the_process_may_have_an_address_has_1024() {
        let all = admission(65_000, "");
        let held: Vec<_> = (0..2_000)
            .filter_map(|_| all.admit(ip("203.0.113.9")))
            .collect();
        assert_eq!(held.len(), 1024);
        let shaking: Vec<_> = held.iter().filter_map(Admitted::shake_hands).collect();
        assert_eq!(shaking.len(), MOST_HANDSHAKES);
        assert_eq!(refused(&all, "handshakes"), 1024 - 128);
        drop(shaking);
        assert!(held.first().unwrap().shake_hands().is_some());
    }
}
