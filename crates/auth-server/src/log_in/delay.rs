//! The rules of guessing: when the next wrong password is listened to.
//!
//! Failures are counted where they come from: from a network, or by a device that the account knows. A network
//! waits longer after each failure; a device's token is worth nothing for an hour, and what it sends counts as
//! its network's. Besides, an account has a budget of verdicts for all networks together and one for all its
//! devices. The budget of the networks grows faster than any single one can spend it, so that no network delays
//! another; together they get fewer than [`A_DAY`].
//!
//! Pure rules with the time as a parameter. The statements of the database that decide are held against them, and
//! a simulation tries what attackers would.

use crate::db::{Budget, Failures, Limits, Tally};

/// Verdicts that anybody gets on an account in 24 hours, by however many networks and stolen device tokens.
#[cfg(test)]
pub(super) const A_DAY: i64 = 2_000;

/// Failures in a row that cost nothing.
const FREE: i64 = 5;
/// Seconds that another replica's clock may be ahead. A failure later than that was written by a clock that was
/// wrong, and must not shut anybody out until that time comes.
pub(super) const AHEAD: i64 = 60;

/// Who failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A network: an IPv4 address or a /64 of IPv6.
    Network,
    /// A device, by its token.
    Device,
}

impl Origin {
    /// Seconds of the longest delay.
    fn longest(self) -> i64 {
        match self {
            Self::Network => 60,
            Self::Device => 3600,
        }
    }

    /// Seconds in which the account's budget for all of this origin grows by one verdict. For networks it is
    /// less than one of them has to wait.
    pub(super) fn every(self) -> i64 {
        match self {
            Self::Network => 54,
            Self::Device => 480,
        }
    }

    /// Verdicts in a full budget.
    pub(super) fn most(self) -> i64 {
        match self {
            Self::Network => 100,
            Self::Device => 50,
        }
    }

    /// Seconds after which who was refused for so long may come again. A device may at once, since its next
    /// attempt counts as its network's.
    pub(super) fn retry_after(self, wait: i64) -> u64 {
        match self {
            Self::Network => u64::try_from(wait).unwrap_or_default().max(1),
            Self::Device => 1,
        }
    }

    /// Seconds of delay after so many failures in a row.
    fn delay(self, failures: i64) -> i64 {
        let over = failures.saturating_sub(FREE);
        match (self, over) {
            (_, ..0) => 0,
            (Self::Network, 0..6) => 1 << over,
            _ => self.longest(),
        }
    }

    /// The same rules as the statements of the database know them.
    pub(super) fn limits(self) -> Limits {
        Limits {
            free: FREE,
            delays: self.delays().collect(),
            longest: self.longest(),
            every: self.every(),
            most: self.most(),
            ahead: AHEAD,
        }
    }

    /// Every count of failures whose delay is shorter than the longest, and that delay in seconds.
    fn delays(self) -> impl Iterator<Item = (i64, i64)> {
        (FREE..)
            .map(move |count| (count, self.delay(count)))
            .take_while(move |(_, delay)| *delay < self.longest())
    }
}

impl Failures {
    /// Seconds until the next attempt is looked at; 0 for now.
    #[must_use]
    pub fn wait(self, origin: Origin, now: i64) -> i64 {
        let passed = now.saturating_sub(self.last_at);
        if passed < -AHEAD {
            return 0;
        }
        // A failure in the near future is another replica's clock: it counts as now.
        origin
            .delay(self.count)
            .saturating_sub(passed.max(0))
            .max(0)
    }

    /// Did delays begin with this failure?
    #[must_use]
    pub fn is_first_delay(self) -> bool {
        self.count == FREE
    }
}

impl Budget {
    /// Seconds until there is a verdict again; 0 for now.
    #[must_use]
    pub fn wait(self, origin: Origin, now: i64) -> i64 {
        let capacity = origin.every() * origin.most();
        let missing = self.full_at.saturating_sub(now);
        if missing > capacity + AHEAD {
            return 0;
        }
        missing
            .saturating_add(origin.every())
            .saturating_sub(capacity)
            .max(0)
    }
}

impl Tally {
    /// Seconds until the next attempt is looked at; 0 for now.
    #[must_use]
    pub fn wait(self, origin: Origin, now: i64) -> i64 {
        self.failures
            .wait(origin, now)
            .max(self.budget.wait(origin, now))
    }
}

/// Who is counted for an attempt, and for how many seconds it is not looked at. A device that the account knows
/// counts by itself as long as it may guess; after that, and everybody else, as the network that it comes from.
///
/// # Errors
/// Those of `tally`, which reads a counter.
pub(super) fn who_counts<C, E>(
    device: Option<&C>,
    network: &C,
    now: i64,
    mut tally: impl FnMut(&C) -> Result<Tally, E>,
) -> Result<(Origin, i64), E> {
    if let Some(device) = device
        && tally(device)?.wait(Origin::Device, now) == 0
    {
        return Ok((Origin::Device, 0));
    }
    let wait = tally(network)?.wait(Origin::Network, now);
    Ok((Origin::Network, wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(count: i64) -> Failures {
        Failures {
            count,
            last_at: 1000,
        }
    }

    #[test]
    fn delays_double_from_the_fifth_failure_on_up_to_a_minute() {
        let wait = |count| failed(count).wait(Origin::Network, 1000);
        let delays: Vec<i64> = (0..14).map(wait).collect();
        assert_eq!(delays, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(failed(i64::MAX).wait(Origin::Network, 1059), 1);
        assert_eq!(failed(9).wait(Origin::Network, 1060), 0);
        let early = failed(7).wait(Origin::Network, 1000 - AHEAD);
        assert_eq!(early, 4, "a clock that runs ahead");
    }

    #[test]
    fn a_device_that_failed_five_times_is_a_stranger_for_an_hour() {
        let wait = |count, now| failed(count).wait(Origin::Device, now);
        assert_eq!(
            (wait(4, 1000), wait(5, 1000), wait(50, 1000)),
            (0, 3600, 3600)
        );
        assert_eq!((wait(5, 4599), wait(5, 4600)), (1, 0));
    }

    #[test]
    fn a_device_that_is_refused_may_come_again_as_a_stranger_at_once() {
        let waits = [i64::MIN, 0, 1, 54, 3600, i64::MAX];
        assert_eq!(waits.map(|wait| Origin::Device.retry_after(wait)), [1; 6]);
        let network = waits.map(|wait| Origin::Network.retry_after(wait));
        assert_eq!(network, [1, 1, 1, 54, 3600, i64::MAX.unsigned_abs()]);
    }

    #[test]
    fn a_failure_from_the_future_shuts_nobody_out_until_then() {
        for origin in [Origin::Network, Origin::Device] {
            assert_eq!(failed(9).wait(origin, 1000 - AHEAD - 1), 0);
            assert_eq!(failed(9).wait(origin, i64::MIN), 0);
            let budget = |full_at| Budget { full_at }.wait(origin, 0);
            let capacity = origin.every() * origin.most();
            assert!(budget(capacity + AHEAD) > 0);
            assert_eq!(budget(capacity + AHEAD + 1), 0);
            assert_eq!(budget(i64::MAX), 0);
        }
    }

    #[test]
    fn a_budget_is_spent_verdict_by_verdict_and_grows_with_time() {
        for origin in [Origin::Network, Origin::Device] {
            let (mut full_at, now) = (0, 1_000_000);
            let mut verdicts = 0;
            while (Budget { full_at }).wait(origin, now) == 0 {
                full_at = full_at.max(now) + origin.every();
                verdicts += 1;
            }
            assert_eq!(verdicts, origin.most());
            let empty = Budget { full_at };
            assert_eq!(empty.wait(origin, now), origin.every());
            assert_eq!(empty.wait(origin, now + origin.every()), 0);
        }
    }

    #[test]
    fn a_network_waits_longer_than_the_budget_takes_to_grow() {
        assert!(Origin::Network.longest() > Origin::Network.every());
        let sum: i64 = [Origin::Network, Origin::Device]
            .map(|origin| origin.most() + 86_400 / origin.every() + 1)
            .iter()
            .sum();
        assert!(sum <= A_DAY, "{sum}");
    }
}
