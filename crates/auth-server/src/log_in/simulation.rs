//! What attackers would try on the rules of guessing, with days that pass in a moment.
//!
//! The counters are the real ones, their rows are kept in a map, and the rules decide as the database's
//! statements do; a test there holds those against the rules.

use std::collections::HashMap;
use std::convert::Infallible;

use uuid::Uuid;

use super::counter::Counter;
use super::delay::{A_DAY, Origin, who_counts};
use crate::db::UserId;
use crate::db::{Budget, Failures, Tally};
use crate::mac_keys::MacKeys;

const START: i64 = 1_800_000_000;
const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Verdict,
    Delayed(i64),
}

struct World {
    keys: MacKeys,
    user: Option<UserId>,
    failures: HashMap<String, (String, Failures)>,
    budgets: HashMap<String, (String, Budget)>,
    /// When a wrong password was called wrong.
    verdicts: Vec<i64>,
}

impl World {
    fn of(user: Option<UserId>) -> Self {
        Self {
            keys: MacKeys::generate(0),
            user,
            failures: HashMap::new(),
            budgets: HashMap::new(),
            verdicts: Vec::new(),
        }
    }

    fn known() -> Self {
        Self::of(Some(Uuid::from_u128(1).into()))
    }

    /// The counters of so many networks.
    fn networks(&self, count: u64) -> Vec<Counter> {
        let of = |n: u64| {
            let address = std::net::Ipv6Addr::from((0x2001_0db8 << 96) | (u128::from(n) << 64));
            Counter::of_network("a@b", self.user, &address.to_string(), &self.keys)
        };
        (0..count).map(of).collect()
    }

    fn devices(&self, count: u128) -> Vec<Counter> {
        let user = self.user.unwrap();
        let of = |n| Counter::of_device(user, Uuid::from_u128(n), &self.keys);
        (0..count).map(of).collect()
    }

    fn tally(&self, counter: &Counter) -> Tally {
        let failures = self.failures.get(&counter.rows.own.slot);
        let budget = self.budgets.get(&counter.rows.budget.slot);
        Tally {
            failures: failures
                .filter(|(tag, _)| *tag == counter.rows.own.tag)
                .map_or_else(Failures::default, |(_, failures)| *failures),
            budget: budget
                .filter(|(tag, _)| *tag == counter.rows.budget.tag)
                .map_or_else(Budget::default, |(_, budget)| *budget),
        }
    }

    /// Who is counted, and for how long nothing is looked at.
    fn look(&self, device: Option<&Counter>, network: &Counter, now: i64) -> (Origin, i64) {
        let tally = |counter: &Counter| Ok::<_, Infallible>(self.tally(counter));
        who_counts(device, network, now, tally).unwrap()
    }

    fn guess(&mut self, device: Option<&Counter>, network: &Counter, now: i64) -> Answer {
        let counter = match self.look(device, network, now) {
            (_, wait @ 1..) => return Answer::Delayed(wait),
            (Origin::Device, _) => device.unwrap(),
            (Origin::Network, _) => network,
        };
        let tally = self.tally(counter);
        let failures = Failures {
            count: tally.failures.count + 1,
            last_at: now,
        };
        let full_at = tally.budget.full_at.max(now) + counter.origin.every();
        let (own, budget) = (counter.rows.own.clone(), counter.rows.budget.clone());
        self.failures.insert(own.slot, (own.tag, failures));
        self.budgets
            .insert(budget.slot, (budget.tag, Budget { full_at }));
        self.verdicts.push(now);
        Answer::Verdict
    }

    /// The owner's right password.
    fn owner(&mut self, device: Option<&Counter>, network: &Counter, now: i64) -> Answer {
        let counter = match self.look(device, network, now) {
            (_, wait @ 1..) => return Answer::Delayed(wait),
            (Origin::Device, _) => device.unwrap(),
            (Origin::Network, _) => network,
        };
        self.failures.remove(&counter.rows.own.slot);
        Answer::Verdict
    }

    /// The most verdicts within any 24 hours.
    fn most_in_a_day(&self) -> i64 {
        let mut first = 0;
        let mut most = 0;
        for (n, at) in self.verdicts.iter().enumerate() {
            while self.verdicts[first] <= at - DAY {
                first += 1;
            }
            most = most.max(n + 1 - first);
        }
        i64::try_from(most).unwrap()
    }
}

/// When one network sends its guesses: so many at once, then so many seconds of waiting.
const PACES: [(usize, i64); 9] = [
    (1, 1),
    (1, 3),
    (1, 4),
    (1, 54),
    (1, 59),
    (1, 60),
    (50, 61),
    (200, HOUR),
    (5, DAY + 1),
];

#[test]
fn one_network_delays_nobody_elsewhere_whatever_it_sends() {
    for (burst, pause) in PACES {
        let mut world = World::known();
        let networks = world.networks(200);
        let (attacker, elsewhere) = (&networks[0], &networks[1..]);
        let mut now = START;
        while now < START + 2 * DAY {
            for _ in 0..burst {
                world.guess(None, attacker, now);
            }
            for owner in [
                &elsewhere[0],
                &elsewhere[usize::try_from(now % 199).unwrap()],
            ] {
                let (_, wait) = world.look(None, owner, now);
                assert_eq!(wait, 0, "{burst} every {pause} s, at {now}");
            }
            // The owner, who types badly, and rarely from the same place.
            if now % HOUR < pause {
                let home = &elsewhere[usize::try_from(now / HOUR % 199).unwrap()];
                for _ in 0..3 {
                    assert_eq!(world.guess(None, home, now), Answer::Verdict);
                }
                assert_eq!(world.owner(None, home, now), Answer::Verdict);
            }
            now += pause;
        }
    }
}

#[test]
fn however_many_networks_get_fewer_than_2_000_verdicts_a_day() {
    for count in [1, 2, 10_000] {
        for (burst, pause) in [
            (1, 1),
            (1, 3),
            (30, 54),
            (200, HOUR),
            (3_000, DAY),
            (2_000, DAY / 2),
        ] {
            let mut world = World::known();
            let networks = world.networks(count);
            // Stolen tokens of many devices, some of them in the same row.
            let devices = world.devices(40);
            let mut hop = (networks.iter().cycle(), devices.iter().cycle());
            let mut now = START;
            while now < START + DAY + 2 * HOUR {
                for _ in 0..burst {
                    let (network, device) = (hop.0.next().unwrap(), hop.1.next());
                    world.guess(device, network, now);
                }
                now += pause;
            }
            let most = world.most_in_a_day();
            assert!(
                most <= A_DAY,
                "{count} networks, {burst} every {pause} s: {most}"
            );
        }
    }
}

#[test]
fn an_owner_with_his_devices_token_gets_in_under_a_storm() {
    let mut world = World::known();
    let networks = world.networks(1_000);
    let (home, device) = (&networks[0], world.devices(1).remove(0));
    let mut stranger_waits = false;
    for now in START..START + DAY {
        // The storm comes from the owner's own network as well.
        let attacker = &networks[usize::try_from(now % 1_000).unwrap()];
        world.guess(None, attacker, now);
        world.guess(None, home, now);
        if now % 600 == 0 {
            // Who mistypes it now and then.
            for _ in 0..if now % HOUR == 0 { 4 } else { 0 } {
                assert_eq!(world.guess(Some(&device), home, now), Answer::Verdict);
            }
            assert_eq!(world.owner(Some(&device), home, now), Answer::Verdict);
            stranger_waits |= world.owner(None, home, now) != Answer::Verdict;
        }
    }
    assert!(stranger_waits, "it was a storm");
}

#[test]
fn a_stolen_device_token_does_not_shut_the_other_devices_out() {
    let mut world = World::known();
    let networks = world.networks(2);
    // Two in one row would forget each other's failures.
    let mut devices = world.devices(50);
    devices.sort_by(|a, b| a.rows.own.slot.cmp(&b.rows.own.slot));
    devices.dedup_by(|a, b| a.rows.own.slot == b.rows.own.slot);
    let mut of_device = 0;
    for now in START..START + DAY {
        let (origin, _) = world.look(Some(&devices[0]), &networks[0], now);
        if origin == Origin::Device {
            of_device += 1;
            world.guess(Some(&devices[0]), &networks[0], now);
        }
        let (other, _) = world.look(Some(&devices[1]), &networks[1], now);
        assert_eq!(other, Origin::Device);
    }
    assert!(of_device <= 5 + 24, "{of_device}");
}

#[test]
fn known_and_unknown_accounts_are_delayed_alike() {
    for (burst, pause) in PACES {
        let [known, unknown] = [World::known(), World::of(None)].map(|mut world| {
            // Which networks share a row is another for each account, and says nothing of whether there is one.
            let mut networks = world.networks(100);
            networks.sort_by(|a, b| a.rows.own.slot.cmp(&b.rows.own.slot));
            networks.dedup_by(|a, b| a.rows.own.slot == b.rows.own.slot);
            let mut hop = networks[..8].iter().cycle();
            let mut story = Vec::new();
            for round in 0..500 {
                for n in 0..burst.min(10) {
                    // Now from one, now from many.
                    let network = if n % 2 == 0 {
                        &networks[0]
                    } else {
                        hop.next().unwrap()
                    };
                    story.push(world.guess(None, network, START + round * pause));
                }
            }
            story
        });
        assert_eq!(known, unknown, "{burst} every {pause} s");
    }
}

#[test]
fn whoever_knocks_an_account_has_a_bounded_number_of_rows() {
    let mut world = World::known();
    let (networks, devices) = (world.networks(10_000), world.devices(1_000));
    for (n, network) in networks.iter().enumerate() {
        world.guess(
            devices.get(n),
            network,
            START + i64::try_from(n).unwrap() * 60,
        );
    }
    assert!(world.failures.len() <= 32, "{}", world.failures.len());
    assert!(world.budgets.len() <= 2);
}
