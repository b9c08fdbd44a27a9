//! Delays after failed log-ins: how long, for whom, and where they are counted.
//!
//! From the fifth failure in a row on, an account answers no guess for 1, 2, 4 … 30 seconds. An address
//! from which the account has a live session counts for itself, so that the owner gets in while strangers
//! guess. E-mails that are nobody's are counted alike, in a fixed number of slots, so that nothing tells
//! them apart and nothing grows.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use shared::client_address::network;
use uuid::Uuid;

use crate::mac_keys::MacKeys;
use crate::model::email_key;

/// Failures in a row that cost nothing.
pub(crate) const FREE: i64 = 5;
/// Seconds of the longest delay.
pub(crate) const LONGEST: i64 = 30;
/// Seconds that another replica's clock may be ahead. A failure later than that was written by a clock that was
/// wrong, and must not shut anybody out until that time comes.
pub(crate) const AHEAD: i64 = 60;
/// Rows for e-mails that are nobody's.
const SLOTS: u16 = 4096;

/// Where the failures of a log-in are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// The row.
    pub slot: String,
    /// Whose failures: another e-mail in the same slot begins anew.
    pub tag: String,
    /// The account, if there is one.
    pub user: Option<Uuid>,
}

/// The failures in a row, as they are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: i64,
    /// Unix seconds of the last.
    pub last_at: i64,
}

/// Every count of failures whose delay is shorter than the longest, and that delay in seconds.
pub(crate) fn delays() -> impl Iterator<Item = (i64, i64)> {
    let delay = |count| {
        Failures {
            count,
            ..Failures::default()
        }
        .delay()
    };
    (FREE..)
        .map(move |count| (count, delay(count)))
        .take_while(|(_, delay)| *delay < LONGEST)
}

impl Failures {
    /// Seconds until the next attempt is looked at; 0 for now.
    #[must_use]
    pub fn wait(self, now: i64) -> i64 {
        let passed = now.saturating_sub(self.last_at);
        if passed < -AHEAD {
            return 0;
        }
        // A failure in the near future is another replica's clock: it counts as now.
        self.delay().saturating_sub(passed.max(0)).max(0)
    }

    fn delay(self) -> i64 {
        match self.count - FREE {
            ..0 => 0,
            over @ 0..5 => 1 << over,
            _ => LONGEST,
        }
    }

    /// Did delays begin with this failure?
    #[must_use]
    pub fn is_first_delay(self) -> bool {
        self.count == FREE
    }
}

impl Counter {
    /// The counter for an attempt on `email` from `from`; `homes` are the addresses of the account's
    /// live sessions.
    #[must_use]
    pub fn of(
        email: &str,
        user: Option<Uuid>,
        homes: &[String],
        from: &str,
        keys: &MacKeys,
    ) -> Self {
        let tag = keyed_hash(email, keys);
        let slot = match (user, home(homes, from)) {
            (Some(user), Some(net)) => format!("{user}@{net}"),
            (Some(user), None) => user.to_string(),
            (None, _) => {
                let number = tag
                    .first_chunk::<2>()
                    .map_or(0, |bytes| u16::from_be_bytes(*bytes))
                    % SLOTS;
                format!("nobody-{number}")
            }
        };
        Self {
            slot,
            tag: URL_SAFE_NO_PAD.encode(tag),
            user,
        }
    }
}

/// The network of `from`, if a live session comes from there.
fn home(homes: &[String], from: &str) -> Option<String> {
    let net = network(from.parse::<IpAddr>().ok()?);
    let same = |home: &String| home.parse().is_ok_and(|home: IpAddr| network(home) == net);
    homes.iter().any(same).then(|| net.to_string())
}

/// Keyed, so that nobody can compute which e-mails share a slot; with the oldest key, which changes least.
fn keyed_hash(email: &str, keys: &MacKeys) -> Vec<u8> {
    let secret = keys
        .iter()
        .next()
        .map(crate::mac_keys::MacKey::secret)
        .unwrap_or_default();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        return Vec::new();
    };
    mac.update(b"keyturn login failures v1\0");
    mac.update(email_key(email).as_bytes());
    mac.finalize().into_bytes().to_vec()
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
    fn delays_double_from_the_fifth_failure_on_up_to_30_seconds() {
        let delays: Vec<i64> = (0..14).map(|count| failed(count).wait(1000)).collect();
        assert_eq!(delays, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30, 30]);
        assert_eq!(failed(i64::MAX).wait(1029), 1);
        assert_eq!(failed(9).wait(1030), 0);
        assert_eq!(failed(7).wait(1000 - AHEAD), 4, "a clock that runs ahead");
    }

    #[test]
    fn a_failure_from_the_future_shuts_nobody_out_until_then() {
        assert_eq!(failed(9).wait(1000 - AHEAD - 1), 0);
        assert_eq!(failed(9).wait(i64::MIN), 0);
    }

    #[test]
    fn an_address_with_a_session_counts_for_itself() {
        let keys = MacKeys::generate(0);
        let user = Some(Uuid::from_u128(1));
        let homes = ["203.0.113.7".to_owned(), "2001:db8::5".to_owned()];
        let slot = |from: &str| Counter::of("a@b", user, &homes, from, &keys).slot;
        assert_eq!(slot("198.51.100.1"), slot("198.51.100.2"));
        assert_ne!(slot("203.0.113.7"), slot("198.51.100.1"));
        assert_eq!(slot("2001:db8::99"), slot("2001:db8::5"));
        assert_ne!(slot("2001:db8:0:1::1"), slot("2001:db8::5"));
    }

    #[test]
    fn nobodys_emails_share_a_fixed_number_of_slots() {
        let keys = MacKeys::generate(0);
        let slots: std::collections::HashSet<String> = (0..20_000)
            .map(|n| Counter::of(&format!("{n}@x"), None, &[], "", &keys).slot)
            .collect();
        assert!(slots.len() <= usize::from(SLOTS) && slots.len() > 3000);
        let (lower, upper) = (
            Counter::of("a@b", None, &[], "", &keys),
            Counter::of("A@B", None, &[], "", &keys),
        );
        assert_eq!(lower, upper);
    }
}
