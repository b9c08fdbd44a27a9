//! How much one address may try.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;
use shared::client_address::network;

/// Log-ins and registrations that an address may begin at once, and then each second.
const BURST: NonZeroU32 = NonZeroU32::new(30).unwrap();
const PER_SECOND: NonZeroU32 = NonZeroU32::new(1).unwrap();

/// After so many looks, addresses whose bucket is full again are forgotten.
const FORGET_EVERY: u32 = 1024;

/// Token buckets of addresses.
pub struct AddressBuckets {
    buckets: DefaultKeyedRateLimiter<IpNet>,
    clock: DefaultClock,
    looks: AtomicU32,
    /// Without a named proxy, an address that is not public may be everybody's.
    spare_private: bool,
}

impl AddressBuckets {
    /// Full buckets for everyone; with `spare_private`, none for private and loopback addresses.
    #[must_use]
    pub fn new(spare_private: bool) -> Self {
        Self {
            buckets: RateLimiter::keyed(Quota::per_second(PER_SECOND).allow_burst(BURST)),
            clock: DefaultClock::default(),
            looks: AtomicU32::new(0),
            spare_private,
        }
    }

    /// Takes one from the bucket of an address.
    ///
    /// # Errors
    /// The seconds until there is one again.
    pub fn take(&self, address: IpAddr) -> Result<(), u64> {
        if self.spare_private && is_private(address) {
            return Ok(());
        }
        if self
            .looks
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(FORGET_EVERY)
        {
            self.buckets.retain_recent();
        }
        self.buckets
            .check_key(&network(address))
            .map_err(|not_until| not_until.wait_time_from(self.clock.now()).as_secs() + 1)
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
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_bucket_belongs_to_a_household() {
        let buckets = AddressBuckets::new(true);
        for n in 0..BURST.get() {
            buckets.take(ip(&format!("2001:db8::{n:x}"))).unwrap();
        }
        assert!(
            buckets
                .take(ip("2001:db8::ffff"))
                .is_err_and(|wait| (1..=2).contains(&wait))
        );
        assert!(buckets.take(ip("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn private_addresses_have_a_bucket_only_behind_named_proxies() {
        let (alone, behind) = (AddressBuckets::new(true), AddressBuckets::new(false));
        let refused =
            |buckets: &AddressBuckets| (0..100).any(|_| buckets.take(ip("192.168.1.1")).is_err());
        assert!(!refused(&alone));
        assert!(refused(&behind));
    }
}
