//! The way to a client's receiver: to public addresses alone, unless an operator said otherwise of this client.
//!
//! A receiver's name is its owner's to point where he likes, at the address of a database or of a cloud's metadata as well.
//! So the addresses that a name resolves to are judged, and the connection goes to those that were.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client as Http, Url};

use crate::clients::Client;

/// How long a receiver may take, from the first packet to its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Posts logout tokens.
pub(crate) struct Reach {
    anywhere: Http,
    public: Http,
}

impl Reach {
    /// Makes ready.
    ///
    /// # Errors
    /// If the system's certificates cannot be read.
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // The one that the servers use; a second call is no harm.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = || {
            Http::builder()
                .timeout(PATIENCE)
                // The address is what was registered, and nobody's to change on the way.
                .redirect(Policy::none())
                // What stands between us and it would choose the address.
                .no_proxy()
                // One that waits may have been closed meanwhile, and then a delivery would wait for its next try.
                .pool_max_idle_per_host(0)
                .user_agent(concat!("Keyturn/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self {
            anywhere: http().build()?,
            public: http().dns_resolver(Arc::new(PublicOnly)).build()?,
        })
    }

    /// Posts a logout token to a client's receiver (OIDC Back-Channel Logout 1.0 §2.5).
    ///
    /// # Errors
    /// Why it has not been taken, without the address.
    pub(super) async fn post(&self, client: &Client, token: &str) -> Result<(), String> {
        let Some(uri) = &client.backchannel_uri else {
            return Err("it has no back-channel URI".into());
        };
        let body = serde_urlencoded::to_string([("logout_token", token)]).unwrap_or_default();
        let answer = self
            .http(uri, client.backchannel_private)
            .post(uri)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .map_err(|error| innermost(&error.without_url()))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answered {status}")),
        }
    }

    /// What may go there.
    fn http(&self, uri: &str, private: bool) -> &Http {
        if private || names_its_address(uri) {
            &self.anywhere
        } else {
            &self.public
        }
    }
}

/// Whether a receiver's address is written out, or is the machine itself: then it is what was registered.
fn names_its_address(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| match url.host_str() {
        Some(host) if host.starts_with('[') => true,
        Some(host) => host == "localhost" || host.parse::<Ipv4Addr>().is_ok(),
        None => false,
    })
}

/// Whether a receiver's name leads to private addresses alone, so that only a client that was registered so is told.
pub(crate) async fn is_in_private(uri: &str) -> bool {
    if names_its_address(uri) {
        return false;
    }
    let host = Url::parse(uri)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    match host {
        Some(host) => is_private(host).await,
        None => false,
    }
}

async fn is_private(host: String) -> bool {
    match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => {
            let found: Vec<_> = found.collect();
            !found.is_empty() && !found.iter().any(|at| is_public(at.ip()))
        }
        Err(_) => false,
    }
}

/// What lies at the root of a fault of the network: the rest is "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// The system's resolver, without private addresses.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|at| is_public(at.ip())).collect();
            if public.is_empty() {
                return Err("its name leads to a private address; `client set --backchannel-private` allows that".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is anybody's on the internet (IANA's special-purpose registries, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match inner(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        // Carrier-grade NAT, protocol assignments, benchmarks; multicast and what is reserved.
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && b & 0xfe == 18)
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // 2000::/3 is all that was given out; of it not the protocol assignments and what is for documents.
    first & 0xe000 == 0x2000
        && !(first == 0x2001 && second < 0x0200)
        && !(first == 0x2001 && second == 0x0db8)
        && !(first == 0x3fff && second < 0x1000)
}

/// The IPv4 address that an IPv6 one stands for: mapped, translated (RFC 6052), 6to4.
fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let pair = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            pair(high, low)
        }
        [0x2002, high, low, ..] => pair(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reached_only_by_clients_that_were_registered_so() {
        for (address, public) in [
            ("1.1.1.1", true),
            ("93.184.216.34", true),
            ("172.15.255.255", true),
            ("172.32.0.1", true),
            ("100.63.0.1", true),
            ("100.128.0.1", true),
            ("198.17.0.1", true),
            ("2606:4700::1111", true),
            ("2a00:1450::1", true),
            ("::ffff:1.1.1.1", true),
            ("64:ff9b::101:101", true),
            ("2002:0101:0101::1", true),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("100.127.255.255", false),
            ("127.0.0.1", false),
            ("127.9.9.9", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.0.0.8", false),
            ("192.0.2.1", false),
            ("192.88.99.1", false),
            ("192.168.1.1", false),
            ("198.18.0.1", false),
            ("198.19.255.255", false),
            ("198.51.100.1", false),
            ("203.0.113.1", false),
            ("224.0.0.1", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::127.0.0.1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b:1::1", false),
            ("2002:7f00:0001::1", false),
            ("2002:c0a8:0101::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("3fff::1", false),
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[test]
    fn an_address_that_is_written_out_was_registered_so() {
        for (uri, written) in [
            ("https://127.0.0.1:8443/out", true),
            ("http://localhost:3000/out", true),
            ("http://[::1]:3000/out", true),
            ("https://10.1.2.3/out", true),
            // The number is an address as well, and `Url` writes it as one.
            ("https://2130706433/out", true),
            ("https://localhost.example/out", false),
            ("https://127.0.0.1.example/out", false),
            ("https://app.example/out", false),
        ] {
            assert_eq!(names_its_address(uri), written, "{uri}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_leads_nowhere_unless_it_was_registered_so() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let reach = Reach::new().unwrap();
        // Every system knows this name, and where it leads.
        let uri = format!("http://localhost:{port}/out");
        let refused = reach.public.post(&uri).send().await.unwrap_err();
        let said = innermost(&refused.without_url());
        assert!(said.contains("--backchannel-private"), "{said}");
        assert!(is_private("localhost".to_owned()).await);
        // The first who knocks is the other one.
        let posted = tokio::spawn(reach.anywhere.post(&uri).send());
        let (mut stream, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, answer)
            .await
            .unwrap();
        assert_eq!(posted.await.unwrap().unwrap().status(), 204);
    }

    #[test]
    fn only_a_client_that_was_registered_so_is_told_in_a_private_network() {
        let reach = Reach::new().unwrap();
        for (uri, private, anywhere) in [
            ("https://app.example/out", false, false),
            ("https://app.example/out", true, true),
            ("http://localhost:3000/out", false, true),
            ("https://10.1.2.3/out", false, true),
        ] {
            let http = reach.http(uri, private);
            assert_eq!(
                std::ptr::eq(http, &raw const reach.anywhere),
                anywhere,
                "{uri}"
            );
        }
    }
}
