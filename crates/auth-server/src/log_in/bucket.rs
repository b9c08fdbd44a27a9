//! Who pays before a password is hashed, and how much each may spend.
//!
//! Everything that makes us hash takes one from the bucket of its address and one from the bucket of the account
//! before it does. [`Paid`] is the receipt: without one nothing is hashed, and it says whose places in the queue
//! are taken. Devices that an account knows pay from buckets of their own, so that a storm of strangers, from the
//! same address even, leaves theirs full.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chassis::client_address::network;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::{IpNet, Ipv6Net};

use crate::db::{SessionId, UserId};
use crate::spelling::email_key;

/// What nearly everyone may begin at once, and then each second.
const BURST: NonZeroU32 = NonZeroU32::new(30).unwrap();
const PER_SECOND: NonZeroU32 = NonZeroU32::new(1).unwrap();
/// The same for the strangers who knock at one account: more than one network can spend, so that none of them
/// keeps out the others.
const STRANGERS_BURST: NonZeroU32 = NonZeroU32::new(120).unwrap();
const STRANGERS_PER_SECOND: NonZeroU32 = NonZeroU32::new(4).unwrap();

/// The same for an address that anybody may have a mail sent to, by an account of his own each time: the limits of an
/// account, which a deletion forgets, do not hold him.
const MAILBOX_BURST: NonZeroU32 = NonZeroU32::new(5).unwrap();
const MAILBOX_EVERY: Duration = Duration::from_mins(12);

/// After so many looks, payers whose bucket is full again are forgotten.
const FORGET_EVERY: u32 = 1024;

/// Whose password is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    /// An account's.
    User(UserId),
    /// That of an e-mail which is nobody's, or not yet: a hash that nobody outside can compute.
    Nobody(u64),
}

/// Somebody with a bucket, or with places in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Payer {
    /// A network, for what strangers send from it.
    Network(IpNet),
    /// All networks of one site (the /48 of IPv6), for what strangers send from it: who has one has 65 536 networks.
    /// It has no bucket, only places in the queue.
    Site(IpNet),
    /// All strangers together. They have no bucket, only places in the queue, and leave some for everyone else.
    AllStrangers,
    /// A network, for what the known devices of an account send from it: nobody else's token takes from it.
    DevicesIn(IpNet, UserId),
    /// A network, for what all known devices send from it. It has no bucket, only places in the queue.
    AllDevicesIn(IpNet),
    /// An account, for log-ins of strangers.
    Strangers(Whose),
    /// An account, for log-ins of strangers from one network. It has no bucket, only places in the queue.
    StrangersFrom(Whose, Option<IpNet>),
    /// An account, for log-ins of its known devices.
    Devices(Whose),
    /// A session, for what its signed-in user changes.
    Session(SessionId),
    /// An account, for what its signed-in user changes by all sessions. It has no bucket, only places in the queue.
    SignedIn(Whose),
    /// An e-mail that somebody registers.
    Registration(Whose),
    /// An e-mail that somebody has a mail sent to.
    Mailbox(Whose),
}

impl Payer {
    /// How many of a payer's passwords may wait at once. One network has fewer places than an account's
    /// strangers, and these fewer than there are.
    pub(super) fn places(self) -> usize {
        match self {
            Self::AllStrangers => 96,
            Self::Strangers(_) | Self::Site(_) => 48,
            Self::Network(_) | Self::DevicesIn(..) | Self::AllDevicesIn(_) => 32,
            Self::StrangersFrom(..)
            | Self::Devices(_)
            | Self::Session(_)
            | Self::SignedIn(_)
            | Self::Registration(_)
            | Self::Mailbox(_) => 16,
        }
    }
}

/// The receipt: hashing was paid for, by these.
#[derive(Clone, Debug)]
pub struct Paid(Vec<Payer>);

impl Paid {
    /// What an operator has hashed: nobody pays.
    #[must_use]
    pub fn by_operator() -> Self {
        Self(Vec::new())
    }

    #[cfg(test)]
    pub(super) fn of(payers: impl IntoIterator<Item = Payer>) -> Self {
        Self(payers.into_iter().collect())
    }

    /// Who has places in the queue for this.
    pub(super) fn payers(&self) -> &[Payer] {
        &self.0
    }
}

/// Everybody's buckets.
pub(super) struct Buckets {
    usual: DefaultKeyedRateLimiter<Payer>,
    strangers: DefaultKeyedRateLimiter<Payer>,
    /// Of addresses that mails go to although no account may have them.
    mailboxes: DefaultKeyedRateLimiter<Payer>,
    clock: DefaultClock,
    looks: AtomicU32,
    hash: std::hash::RandomState,
    /// Without a named proxy, an address that is not public may be everybody's.
    spare_private: bool,
}

impl Buckets {
    /// Full buckets for everyone; with `spare_private`, none for private and loopback addresses.
    pub(super) fn new(spare_private: bool) -> Self {
        let quota = |per_second, burst| Quota::per_second(per_second).allow_burst(burst);
        Self {
            usual: RateLimiter::keyed(quota(PER_SECOND, BURST)),
            strangers: RateLimiter::keyed(quota(STRANGERS_PER_SECOND, STRANGERS_BURST)),
            mailboxes: RateLimiter::keyed(
                Quota::with_period(MAILBOX_EVERY)
                    .unwrap_or(Quota::per_hour(MAILBOX_BURST))
                    .allow_burst(MAILBOX_BURST),
            ),
            clock: DefaultClock::default(),
            looks: AtomicU32::new(0),
            hash: std::hash::RandomState::new(),
            spare_private,
        }
    }

    /// Whose password an attempt on this e-mail concerns.
    pub(super) fn whose(&self, user: Option<UserId>, email: &str) -> Whose {
        user.map_or_else(
            || Whose::Nobody(self.hash.hash_one(email_key(email))),
            Whose::User,
        )
    }

    /// Lets the address pay, as the first of all. With a genuine device token, of this account, another bucket of
    /// the network pays, which is that account's.
    ///
    /// # Errors
    /// The seconds until there is something in its bucket again.
    pub(super) fn address_pays(
        &self,
        address: &str,
        device_of: Option<UserId>,
    ) -> Result<Paid, u64> {
        let Ok(address) = address.parse::<IpAddr>() else {
            return Ok(Paid(Vec::new()));
        };
        if self.spare_private && is_private(address) {
            return Ok(Paid(Vec::new()));
        }
        let (network, paid) = (network(address), Paid(Vec::new()));
        let Some(account) = device_of else {
            let paid = self.pays(paid, Payer::Network(network))?;
            return match site(address) {
                Some(site) => self.pays(paid, Payer::Site(site)),
                None => Ok(paid),
            };
        };
        let paid = self.pays(paid, Payer::DevicesIn(network, account))?;
        self.pays(paid, Payer::AllDevicesIn(network))
    }

    /// Lets one more pay.
    ///
    /// # Errors
    /// The seconds until there is something in the bucket again.
    pub(super) fn pays(&self, mut paid: Paid, payer: Payer) -> Result<Paid, u64> {
        if self
            .looks
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(FORGET_EVERY)
        {
            self.usual.retain_recent();
            self.strangers.retain_recent();
            self.mailboxes.retain_recent();
        }
        let taken = match payer {
            Payer::StrangersFrom(..)
            | Payer::SignedIn(_)
            | Payer::AllDevicesIn(_)
            | Payer::Site(_)
            | Payer::AllStrangers => Ok(()),
            Payer::Strangers(_) => self.strangers.check_key(&payer),
            Payer::Mailbox(_) => self.mailboxes.check_key(&payer),
            _ => self.usual.check_key(&payer),
        };
        taken.map_err(|not_until| not_until.wait_time_from(self.clock.now()).as_secs() + 1)?;
        paid.0.push(payer);
        Ok(paid)
    }
}

/// The network that an address belongs to, if it is one.
pub(super) fn network_of(address: &str) -> Option<IpNet> {
    address.parse().ok().map(network)
}

/// What a provider gives to one customer at most; IPv4 addresses are too dear to come in heaps.
fn site(address: IpAddr) -> Option<IpNet> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Ipv6Net::new(v6, 48).ok().map(|net| IpNet::V6(net.trunc())),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_bucket_belongs_to_a_household() {
        let buckets = Buckets::new(true);
        for n in 0..BURST.get() {
            buckets
                .address_pays(&format!("2001:db8::{n:x}"), None)
                .unwrap();
        }
        let refused = buckets.address_pays("2001:db8::ffff", None);
        assert!(refused.is_err_and(|wait| (1..=2).contains(&wait)));
        assert!(buckets.address_pays("2001:db8:0:1::1", None).is_ok());
        // Its known devices have others, every account's one.
        let of = |n| buckets.address_pays("2001:db8::ffff", Some(Uuid::from_u128(n).into()));
        assert!((0..1000).any(|_| of(1).is_err()));
        assert!(of(2).is_ok());
    }

    #[test]
    fn private_addresses_have_a_bucket_only_behind_named_proxies() {
        for address in ["192.168.1.1", "127.0.0.1", "fd00::1", "::1", "fe80::1"] {
            let (alone, behind) = (Buckets::new(true), Buckets::new(false));
            let refused =
                |buckets: &Buckets| (0..100).any(|_| buckets.address_pays(address, None).is_err());
            assert!(!refused(&alone), "{address}");
            assert!(refused(&behind), "{address}");
        }
    }

    #[test]
    fn strangers_from_one_address_cannot_spend_what_an_account_has() {
        let buckets = Buckets::new(false);
        let account = UserId::from(Uuid::from_u128(1));
        let whose = buckets.whose(Some(account), "");
        let knock = |address: &str| {
            let paid = buckets.address_pays(address, None)?;
            buckets.pays(paid, Payer::Strangers(whose))
        };
        assert!((0..1000).any(|_| knock("203.0.113.7").is_err()));
        assert!(knock("203.0.113.8").is_ok());
        // Many can, and the account's devices do not notice.
        assert!((0..250).any(|n| knock(&format!("198.51.100.{n}")).is_err()));
        let paid = buckets.address_pays("203.0.113.7", Some(account)).unwrap();
        assert!(buckets.pays(paid, Payer::Devices(whose)).is_ok());
    }

    #[test]
    fn the_networks_of_a_site_share_its_places() {
        let buckets = Buckets::new(true);
        let paid = |address, device| buckets.address_pays(address, device).unwrap();
        let site = Payer::Site("2001:db8:7::/48".parse().unwrap());
        for address in ["2001:db8:7:1::1", "2001:db8:7:ff00::1"] {
            assert!(paid(address, None).payers().contains(&site), "{address}");
        }
        assert!(!paid("2001:db8:8::1", None).payers().contains(&site));
        let known = paid("2001:db8:7:2::1", Some(Uuid::nil().into()));
        assert!(!known.payers().contains(&site));
        assert!(site.places() < Payer::AllStrangers.places());
    }

    #[test]
    fn an_e_mail_has_one_bucket_however_it_is_written() {
        let buckets = Buckets::new(true);
        assert_eq!(buckets.whose(None, "A@b"), buckets.whose(None, "a@B"));
        assert_ne!(buckets.whose(None, "a@b"), buckets.whose(None, "a@c"));
    }
}
