//! Which network has which connections, and which of them gives way to a newcomer when few are left.
//!
//! The network with the most goes first, and of its connections the one that has been silent for longest. So
//! however many addresses somebody has, and whatever he asks now and then, one more address gets in.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

/// Above all milliseconds: a connection on which something is asked or answered.
const BUSY: u64 = 1 << 63;

/// Connections that a browser, or two programs behind one address, have as a matter of course.
const FEW: usize = 8;

/// Milliseconds for which a connection that has said nothing yet may be about to.
const NEW: u128 = 2_000;

/// Networks that are looked at for one newcomer: an attacker with a /48 has as many as he likes.
const LOOKED_AT: usize = 8_192;

/// One connection, as the others see it.
#[derive(Debug)]
pub(super) struct Seat {
    epoch: Instant,
    /// Milliseconds from the epoch to when it fell silent, or with [`BUSY`], to when it began what it does. The
    /// lowest gives way first.
    since: AtomicU64,
    leave: Notify,
}

impl Seat {
    /// Notes what the connection is doing, and since when.
    pub(super) fn note(&self, busy: bool, since: Instant) {
        let since = since.saturating_duration_since(self.epoch).as_millis();
        let since = u64::try_from(since).unwrap_or(BUSY - 1);
        let busy = if busy { BUSY } else { 0 };
        self.since.store(since | busy, Ordering::Relaxed);
    }

    /// Completes when the connection is to give way.
    pub(super) async fn leave(&self) {
        self.leave.notified().await;
    }

    fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }
}

/// The connections of one network.
#[derive(Debug)]
struct Held {
    seats: HashMap<u64, Arc<Seat>>,
    handshakes: Arc<Semaphore>,
}

impl Held {
    /// The one that gives way first. The only connection of a network does not while it is being answered.
    fn first_to_go(&self) -> Option<(u64, u64)> {
        let seats = self.seats.iter().map(|(id, seat)| (seat.since(), *id));
        seats
            .min()
            .filter(|(since, _)| self.seats.len() > 1 || since & BUSY == 0)
    }
}

/// The connections of all networks.
#[derive(Debug)]
pub(super) struct Seats {
    epoch: Instant,
    networks: HashMap<IpNet, Held>,
    /// Connections of each [`neighbourhood`].
    neighbourhoods: HashMap<IpNet, usize>,
    next: u64,
}

/// What was taken, for its connection to keep.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) network: IpNet,
    pub(super) seat: Arc<Seat>,
    /// The network's places for unfinished TLS handshakes.
    pub(super) handshakes: Arc<Semaphore>,
    id: u64,
}

impl Seats {
    pub(super) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            networks: HashMap::new(),
            neighbourhoods: HashMap::new(),
            next: 0,
        }
    }

    /// How many the network has.
    pub(super) fn of(&self, network: IpNet) -> usize {
        self.networks
            .get(&network)
            .map_or(0, |held| held.seats.len())
    }

    /// Takes one for a connection that begins now.
    pub(super) fn take(&mut self, network: IpNet, handshakes: usize) -> Taken {
        let seat = Arc::new(Seat {
            epoch: self.epoch,
            since: AtomicU64::default(),
            leave: Notify::new(),
        });
        seat.note(false, Instant::now());
        let id = self.next;
        self.next += 1;
        let held = self.networks.entry(network).or_insert_with(|| Held {
            seats: HashMap::new(),
            handshakes: Arc::new(Semaphore::new(handshakes)),
        });
        held.seats.insert(id, Arc::clone(&seat));
        *self
            .neighbourhoods
            .entry(neighbourhood(network))
            .or_default() += 1;
        Taken {
            network,
            seat,
            handshakes: Arc::clone(&held.handshakes),
            id,
        }
    }

    /// Gives one back, unless it was asked for before.
    pub(super) fn give_back(&mut self, taken: &Taken) {
        self.remove(taken.network, taken.id);
    }

    /// Asks one connection to leave. Of a network that has more than [`FEW`], the one that has the most; where all
    /// have few, a silent one before any that is being answered. Then of the network, and then of the neighbourhood,
    /// that has the most. `false`: there is none that could. It counts no more from here on.
    pub(super) fn make_room(&mut self, now: Instant) -> bool {
        let now = now.saturating_duration_since(self.epoch).as_millis();
        let mut first: Option<(_, Reverse<u64>, IpNet, u64)> = None;
        for (network, held) in self.networks.iter().take(LOOKED_AT) {
            let Some((since, id)) = held.first_to_go() else {
                continue;
            };
            let size = held.seats.len();
            let crowd = if size > FEW { size } else { 0 };
            let silent = u128::from(since) + NEW <= now;
            let near = self.neighbourhoods.get(&neighbourhood(*network));
            let order = (crowd, silent, size, near.copied().unwrap_or_default());
            first = first.max(Some((order, Reverse(since), *network, id)));
        }
        let Some((_, _, network, id)) = first else {
            return false;
        };
        if let Some(seat) = self.remove(network, id) {
            seat.leave.notify_one();
        }
        true
    }

    fn remove(&mut self, network: IpNet, id: u64) -> Option<Arc<Seat>> {
        let held = self.networks.get_mut(&network)?;
        let seat = held.seats.remove(&id)?;
        if held.seats.is_empty() {
            self.networks.remove(&network);
        }
        let near = neighbourhood(network);
        if let Some(count) = self.neighbourhoods.get_mut(&near) {
            *count -= 1;
            if *count == 0 {
                self.neighbourhoods.remove(&near);
            }
        }
        Some(seat)
    }

    /// Whether nobody has anything.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.networks.is_empty() && self.neighbourhoods.is_empty()
    }
}

/// What one owner often has as a whole: the /24 of IPv4, the /48 of IPv6. It only decides among networks that
/// have equally many, since many customers of a provider may be in one.
fn neighbourhood(network: IpNet) -> IpNet {
    let wider = match network.addr() {
        IpAddr::V4(address) => Ipv4Net::new(address, 24).map(IpNet::V4),
        IpAddr::V6(address) => Ipv6Net::new(address, 48).map(IpNet::V6),
    };
    wider.map_or(network, |wider| wider.trunc())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;
    use crate::client_address::network;

    /// Connections by address, in the order in which they came, each silent since its number of seconds.
    fn sit(seats: &mut Seats, addresses: &[&str]) -> Vec<Taken> {
        let take = |(second, address): (u64, &&str)| {
            let taken = seats.take(network(address.parse().unwrap()), 1);
            taken.seat.note(false, after(seats, second));
            taken
        };
        (0..).zip(addresses).map(take).collect()
    }

    fn after(seats: &Seats, seconds: u64) -> Instant {
        seats.epoch + Duration::from_secs(seconds)
    }

    /// Numbers of those who were asked to leave since the last look.
    fn asked(taken: &[Taken]) -> Vec<usize> {
        let left = |taken: &Taken| taken.seat.leave().now_or_never().is_some();
        let numbers = (0..).zip(taken);
        numbers
            .filter_map(|(number, taken)| left(taken).then_some(number))
            .collect()
    }

    #[test]
    fn who_has_the_most_gives_way_first_and_there_the_longest_silent() {
        let mut seats = Seats::new();
        let taken = sit(
            &mut seats,
            &["10.0.0.1", "10.1.0.2", "10.1.0.2", "10.1.0.2"],
        );
        // A request since: not the oldest connection counts, but the longest silence.
        taken[1].seat.note(false, after(&seats, 9));
        for expected in [2, 3] {
            assert!(seats.make_room(after(&seats, 100)));
            assert_eq!(asked(&taken), [expected]);
        }
        // One each: now the longest silence of all.
        assert!(seats.make_room(after(&seats, 100)));
        assert_eq!(asked(&taken), [0]);
        assert_eq!(seats.of(network("10.0.0.1".parse().unwrap())), 0);
        // Giving back what was asked for counts once.
        for taken in &taken {
            seats.give_back(taken);
        }
        assert!(seats.is_empty() && !seats.make_room(after(&seats, 100)));
    }

    #[test]
    fn what_is_being_answered_goes_after_what_is_silent_and_the_only_one_of_a_network_never() {
        let mut seats = Seats::new();
        let taken = sit(
            &mut seats,
            &["10.0.0.1", "10.1.0.2", "10.1.0.2", "10.2.0.3"],
        );
        for number in [0, 1, 3] {
            taken[number].seat.note(true, after(&seats, 1));
        }
        assert!(seats.make_room(after(&seats, 100)));
        assert_eq!(asked(&taken), [2]);
        // All that are left are answered, one each.
        assert!(!seats.make_room(after(&seats, 100)));
        let more = sit(&mut seats, &["10.1.0.2"]);
        more[0].seat.note(true, after(&seats, 8));
        assert!(seats.make_room(after(&seats, 100)));
        assert_eq!((asked(&taken), asked(&more)), (vec![1], vec![]));
        // And one that has been answered is like any other.
        taken[3].seat.note(false, after(&seats, 9));
        assert!(seats.make_room(after(&seats, 100)));
        assert_eq!(asked(&taken), [3]);
    }

    #[test]
    fn nobody_with_a_few_requests_under_way_makes_room_for_silent_ones_from_many_networks() {
        let mut seats = Seats::new();
        let busy = sit(&mut seats, &["203.0.113.9"; 3]);
        for taken in &busy {
            taken.seat.note(true, after(&seats, 1));
        }
        let silent: Vec<String> = (0..400).map(|n| format!("2001:db8:0:{n:x}::1")).collect();
        let silent: Vec<&str> = silent.iter().map(String::as_str).collect();
        let silent = sit(&mut seats, &silent);
        for taken in &silent {
            taken.seat.note(false, after(&seats, 2));
        }
        for _ in 0..400 {
            assert!(seats.make_room(after(&seats, 100)));
            assert_eq!(asked(&busy), [0_usize; 0]);
        }
    }

    #[test]
    fn a_newcomer_is_not_the_one_who_makes_room_for_the_next() {
        let mut seats = Seats::new();
        let addresses: Vec<String> = (0..200).map(|n| format!("10.{n}.0.1")).collect();
        let addresses: Vec<&str> = addresses.iter().flat_map(|it| [it.as_str(); 2]).collect();
        let busy = sit(&mut seats, &addresses);
        for taken in &busy {
            taken.seat.note(true, after(&seats, 1));
        }
        let newcomer = sit(&mut seats, &["203.0.113.9"]);
        newcomer[0].seat.note(false, after(&seats, 99));
        assert!(seats.make_room(after(&seats, 100)));
        assert_eq!((asked(&busy).len(), asked(&newcomer).len()), (1, 0));
    }

    #[test]
    fn among_equals_the_larger_neighbourhood_gives_way() {
        for (alone, neighbours) in [
            ("203.0.113.9", ["198.51.100.1", "198.51.100.77"]),
            ("2001:db8:1::1", ["2001:db8:2:1::1", "2001:db8:2:2::1"]),
        ] {
            let mut seats = Seats::new();
            let taken = sit(&mut seats, &[alone, neighbours[0], neighbours[1]]);
            assert!(seats.make_room(after(&seats, 100)));
            assert_eq!(asked(&taken), [1]);
        }
        // A crowd behind one provider loses nothing to an address that has more than each of them.
        let mut seats = Seats::new();
        let crowd = ["198.51.100.1", "198.51.100.2", "198.51.100.3"];
        let taken = sit(&mut seats, &[&crowd[..], &["10.0.0.1"; 2]].concat());
        assert!(seats.make_room(after(&seats, 100)));
        assert_eq!(asked(&taken), [3]);
    }
}
