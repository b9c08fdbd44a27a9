//! Where a request comes from: the peer, or what trusted proxies say of it.

use std::net::{IpAddr, SocketAddr};

use ipnet::{IpNet, Ipv6Net};

/// The proxies whose `X-Forwarded-For` counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl std::str::FromStr for TrustedProxies {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let one = |part: &str| {
            let part = part.trim();
            let net = part
                .parse::<IpNet>()
                .ok()
                .or_else(|| part.parse::<IpAddr>().ok().map(IpNet::from));
            net.ok_or_else(|| {
                format!("{part:?} is neither an address nor a network such as 10.0.0.0/8")
            })
        };
        text.split(',')
            .filter(|part| !part.trim().is_empty())
            .map(one)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl TrustedProxies {
    /// Is any proxy named?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The client's address: the last one in the chain that is no trusted proxy. What stands before it
    /// in `X-Forwarded-For` is only the client's word.
    #[must_use]
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded: impl DoubleEndedIterator<Item = &'a str>,
    ) -> IpAddr {
        let mut client = peer.to_canonical();
        for hop in forwarded
            .flat_map(|header| header.split(','))
            .map(str::trim)
            // An element of a list may be empty (RFC 9110 §5.6.1), and is none.
            .filter(|hop| !hop.is_empty())
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            if !self.trusts(client) {
                return client;
            }
            match address(hop) {
                Some(address) => client = address.to_canonical(),
                // A proxy that we trust wrote no address: its own is the last that is known.
                None => return client,
            }
        }
        client
    }

    /// Is this one of them?
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }
}

/// An address as proxies write it: some add the port, some put IPv6 into brackets, and some do both.
fn address(hop: &str) -> Option<IpAddr> {
    let with_port = || hop.parse().ok().map(|at: SocketAddr| at.ip());
    let in_brackets = || {
        let inside = hop.strip_prefix('[')?.strip_suffix(']')?;
        inside.parse().ok().map(IpAddr::V6)
    };
    hop.parse().ok().or_else(with_port).or_else(in_brackets)
}

/// The part of an address that stands for one client: all of IPv4, the /64 of IPv6, since a household has
/// a whole one.
#[must_use]
pub fn network(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(_) => address.into(),
        IpAddr::V6(v6) => {
            Ipv6Net::new(v6, 64).map_or_else(|_| address.into(), |net| IpNet::V6(net.trunc()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies: TrustedProxies = "10.0.0.1, 192.168.0.0/16,::1".parse().unwrap();
        for (peer, headers, client) in [
            ("203.0.113.9", vec!["1.2.3.4"], "203.0.113.9"),
            ("10.0.0.1", vec!["1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", vec!["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            (
                "10.0.0.1",
                vec!["6.6.6.6", "1.2.3.4, 192.168.3.3"],
                "1.2.3.4",
            ),
            ("10.0.0.1", vec!["6.6.6.6, rubbish"], "10.0.0.1"),
            ("10.0.0.1", vec!["1.2.3.4:5678"], "1.2.3.4"),
            ("10.0.0.1", vec!["[2001:db8::1]:5678"], "2001:db8::1"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("::ffff:10.0.0.1", vec!["2001:db8::1"], "2001:db8::1"),
        ] {
            assert_eq!(
                proxies.client(ip(peer), headers.into_iter()),
                ip(client),
                "{peer}"
            );
        }
        for (header, client) in [
            ("[2001:db8::1]", "2001:db8::1"),
            ("6.6.6.6, [2001:db8::1]", "2001:db8::1"),
            ("[::ffff:1.2.3.4]", "1.2.3.4"),
            ("203.0.113.7,", "203.0.113.7"),
            ("203.0.113.7 , ,\t, 10.0.0.1,,", "203.0.113.7"),
            (",203.0.113.7", "203.0.113.7"),
            (",", "10.0.0.1"),
            ("", "10.0.0.1"),
            // No addresses: what the proxy itself is remains.
            ("6.6.6.6, [1.2.3.4]", "10.0.0.1"),
            ("6.6.6.6, [2001:db8::1", "10.0.0.1"),
            ("6.6.6.6, 2001:db8::1]", "10.0.0.1"),
            ("6.6.6.6, []", "10.0.0.1"),
            ("6.6.6.6, unknown", "10.0.0.1"),
        ] {
            let found = proxies.client(ip("10.0.0.1"), [header].into_iter());
            assert_eq!(found, ip(client), "{header:?}");
        }
        let lines = ["203.0.113.7", ""].into_iter();
        assert_eq!(proxies.client(ip("10.0.0.1"), lines), ip("203.0.113.7"));
        let none = TrustedProxies::default();
        assert_eq!(
            none.client(ip("127.0.0.1"), ["1.2.3.4"].into_iter()),
            ip("127.0.0.1")
        );
        assert!("10.0.0.0/33".parse::<TrustedProxies>().is_err());
    }
}
