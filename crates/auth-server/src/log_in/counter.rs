//! Where failures are counted: which rows belong to an attempt.
//!
//! The rows of an account are few whoever knocks: networks and devices share a fixed number of them, by a keyed
//! hash that nobody outside can compute, and a tag says whose failures a row holds now. E-mails that are nobody's
//! are counted alike, in a fixed number of slots, so that nothing tells them apart and nothing grows.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use uuid::Uuid;

use super::bucket::network_of;
use super::delay::Origin;
use crate::db::UserId;
use crate::db::{CounterRow, CounterRows, DbError, Failures, Tx};
use crate::mac_keys::MacKeys;
use crate::sessions::Admission;
use crate::spelling::email_key;

/// Slots for e-mails that are nobody's. To make one forget what it counted, another unknown e-mail must hit it:
/// so many tries that the budget of the first is full again long before. Only slots in use are rows.
const SLOTS: u32 = 1 << 18;
/// Rows of an account for all networks together, and as many for all devices.
const ROWS: u8 = 16;

/// Where the failures of an attempt are counted, and by which rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// What fails: a network or a device.
    pub(super) origin: Origin,
    pub(super) rows: CounterRows,
}

impl Counter {
    /// The counter of a network for attempts on `email`, which is `user`'s if it is anybody's. An `address`
    /// that is none has a counter as well.
    #[must_use]
    pub fn of_network(email: &str, user: Option<UserId>, address: &str, keys: &MacKeys) -> Self {
        let network = network_of(address).map_or_else(String::new, |net| net.to_string());
        Self::new(
            Origin::Network,
            &whose(email, user),
            user,
            network.as_bytes(),
            keys,
        )
    }

    /// The counter of a device that the account knows.
    #[must_use]
    pub fn of_device(user: UserId, device: Uuid, keys: &MacKeys) -> Self {
        let whose = whose("", Some(user));
        Self::new(Origin::Device, &whose, Some(user), device.as_bytes(), keys)
    }

    fn new(origin: Origin, whose: &str, user: Option<UserId>, who: &[u8], keys: &MacKeys) -> Self {
        let account = keyed_hash(&[whose.as_bytes()], keys);
        let own = keyed_hash(&[whose.as_bytes(), who], keys);
        let name = user.map_or_else(
            || format!("nobody-{}", first(&account) % SLOTS),
            |user| user.to_string(),
        );
        let (kind, number) = (kind(origin), first(&own) % u32::from(ROWS));
        let row = |slot, tag: &[u8]| CounterRow {
            slot,
            tag: URL_SAFE_NO_PAD.encode(tag),
        };
        Self {
            origin,
            rows: CounterRows {
                own: row(format!("{name}/{kind}-{number}"), &own),
                budget: row(format!("{name}/{kind}s"), &account),
                user,
            },
        }
    }

    /// Seconds until the next attempt is looked at; 0 for now.
    pub(super) fn wait(&self, tx: &mut Tx<'_>, now: i64) -> Result<i64, DbError> {
        Ok(tx.tally(&self.rows)?.wait(self.origin, now))
    }

    /// Counts one more failure; `None` if a delay is on or the budget is spent.
    pub(super) fn count(&self, tx: &mut Tx<'_>, now: i64) -> Result<Option<Failures>, DbError> {
        tx.count_login_failure(&self.rows, &self.origin.limits(), now)
    }

    /// Forgets the failures, since the password was right, unless a delay is on or the budget is spent. Gives the
    /// seconds that this still lasts. The budget stays as it is: others spend it as well.
    pub(super) fn forgive(&self, tx: &mut Tx<'_>, now: i64) -> Result<i64, DbError> {
        let spent = tx.tally(&self.rows)?.budget.wait(self.origin, now);
        if spent > 0 {
            return Ok(spent);
        }
        // The delete first: it waits for failures that are being counted, which a look would not see.
        tx.forget_login_failures(&self.rows, &self.origin.limits(), now)?;
        self.wait(tx, now)
    }

    /// Seconds after which who has to wait for so long may come again; `None` if he need not wait.
    fn told(&self, wait: i64) -> Option<u64> {
        (wait > 0).then(|| self.origin.retry_after(wait))
    }
}

/// A guess that turned out right while others began a delay is not let in by it.
impl Admission for Counter {
    fn look(&self, tx: &mut Tx<'_>, now: i64) -> Result<Option<u64>, DbError> {
        Ok(self.told(self.wait(tx, now)?))
    }

    fn settle(&self, tx: &mut Tx<'_>, now: i64) -> Result<Option<u64>, DbError> {
        Ok(self.told(self.forgive(tx, now)?))
    }
}

/// The account by its id, since e-mails change; an e-mail that is nobody's by what log-in compares.
fn whose(email: &str, user: Option<UserId>) -> String {
    user.map_or_else(|| email_key(email), |user| user.to_string())
}

fn kind(origin: Origin) -> &'static str {
    match origin {
        Origin::Network => "network",
        Origin::Device => "device",
    }
}

fn first(hash: &[u8]) -> u32 {
    hash.first_chunk().copied().map_or(0, u32::from_be_bytes)
}

/// With the oldest key, which changes least.
fn keyed_hash(parts: &[&[u8]], keys: &MacKeys) -> Vec<u8> {
    // There is one: a file without keys is refused.
    let Some(key) = keys.iter().next() else {
        return Vec::new();
    };
    let mut mac = key.mac(b"keyturn login failures v2\0");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_network_counts_for_itself() {
        let keys = MacKeys::generate(0);
        let user = Some(Uuid::from_u128(1).into());
        let tag = |from: &str| Counter::of_network("a@b", user, from, &keys).rows.own.tag;
        assert_ne!(tag("198.51.100.1"), tag("198.51.100.2"));
        assert_eq!(tag("2001:db8::99"), tag("2001:db8::5"));
        assert_ne!(tag("2001:db8:0:1::1"), tag("2001:db8::5"));
        let budget = |from: &str| Counter::of_network("a@b", user, from, &keys).rows.budget;
        assert_eq!(budget("198.51.100.1"), budget("2001:db8::5"));
    }

    #[test]
    fn an_account_keeps_its_counters_under_a_new_e_mail() {
        let keys = MacKeys::generate(0);
        let user = Some(Uuid::from_u128(1).into());
        let of = |email, user| Counter::of_network(email, user, "198.51.100.1", &keys);
        assert_eq!(of("a@b", user), of("c@d", user));
        assert_ne!(of("a@b", None), of("c@d", None));
        assert_eq!(of("a@b", None), of("A@B", None));
        assert_ne!(of("a@b", user).rows.budget, of("a@b", None).rows.budget);
    }

    #[test]
    fn the_rows_of_an_account_and_of_nobodys_e_mails_are_a_fixed_number() {
        let keys = MacKeys::generate(0);
        let user = UserId::from(Uuid::from_u128(1));
        let mut of_user = HashSet::new();
        for n in 0..20_000_u32 {
            let address = std::net::Ipv4Addr::from(n).to_string();
            let network = Counter::of_network("a@b", Some(user), &address, &keys);
            let device = Counter::of_device(user, Uuid::from_u128(n.into()), &keys);
            of_user.extend([network.rows.own.slot, network.rows.budget.slot]);
            of_user.extend([device.rows.own.slot, device.rows.budget.slot]);
            let nobody = Counter::of_network(&format!("{n}@x"), None, &address, &keys);
            assert!(
                nobody
                    .rows
                    .own
                    .slot
                    .starts_with(nobody.rows.budget.slot.trim_end_matches("networks"))
            );
        }
        assert_eq!(of_user.len(), usize::from(ROWS) * 2 + 2);
    }

    #[test]
    fn thousands_of_other_unknown_e_mails_do_not_reach_the_counter_of_one() {
        let keys = MacKeys::generate(0);
        let slots: HashSet<_> = (0..20_000)
            .map(|n| Counter::of_network(&format!("{n}@x"), None, "198.51.100.1", &keys))
            .map(|counter| counter.rows.budget.slot)
            .collect();
        // Of 20 000 thrown into 2^18, some 750 are expected to hit one that was hit before.
        assert!((18_800..20_000).contains(&slots.len()), "{}", slots.len());
    }
}
