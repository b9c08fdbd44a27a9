//! How long each state of a connection may last.
//!
//! One place for all of them, since they depend on each other; a test compares them. They are no settings
//! of operators: [`HttpSettings`](crate::settings::HttpSettings) carries them so that tests need not wait
//! for minutes.

use std::time::Duration;

/// The limits of a service's connections. Every state is bounded by one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// A TLS handshake, as a whole.
    pub handshake: Duration,
    /// The head of a request, from its first byte to its last; the first one counts from the beginning of
    /// the connection.
    pub head: Duration,
    /// No byte since the last answer.
    pub idle: Duration,
    /// The same for a trusted proxy: longer than any proxy keeps a connection, or it sends a request into
    /// one that we are just closing, and its user gets a 502.
    pub idle_of_proxy: Duration,
    /// The same for everybody but trusted proxies when there are few connections left. Also how often a
    /// connection asks whether it is so.
    pub idle_when_short: Duration,
    /// A request that is being answered, with no byte in either direction: longer than the feed's
    /// questions wait for news.
    pub stalled: Duration,
    /// A request in all, however its bytes trickle.
    pub request: Duration,
    /// An answer that does not fit into the buffers between us, with the client taking nothing.
    pub unread: Duration,
    /// What is left to say goodbye once a limit was reached.
    pub farewell: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            idle_of_proxy: Duration::from_secs(620),
            idle_when_short: Duration::from_secs(5),
            stalled: Duration::from_secs(40),
            request: Duration::from_mins(2),
            unread: Duration::from_secs(30),
            farewell: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_give_up_an_idle_connection_before_we_do() {
        let limits = ConnectionLimits::default();
        // What nginx, Caddy and the balancers of clouds keep towards us, by default.
        for seconds in [60, 120, 240, 600] {
            assert!(limits.idle_of_proxy > Duration::from_secs(seconds));
        }
        // nginx's, for those who forgot to name it.
        assert!(limits.idle > Duration::from_mins(1));
        assert!(limits.idle_when_short < limits.idle);
    }

    #[test]
    fn the_shipped_proxy_files_close_idle_connections_before_we_do() {
        let limits = ConnectionLimits::default();
        let seconds = |line: &str, name: &str| {
            let value = line.trim().strip_prefix(name)?.trim_end_matches(';');
            value.strip_suffix('s')?.parse().ok()
        };
        let nginx = include_str!("../../../deploy/nginx.conf");
        let upstreams = nginx.split("upstream ").skip(1);
        let kept: Vec<u64> = upstreams
            .filter_map(|block| {
                let (block, _) = block.split_once('}')?;
                block
                    .lines()
                    .find_map(|line| seconds(line, "keepalive_timeout "))
            })
            .collect();
        let caddy = include_str!("../../../deploy/Caddyfile");
        let caddy: Vec<u64> = caddy
            .lines()
            .filter_map(|line| seconds(line, "keepalive "))
            .collect();
        assert_eq!((kept.len(), caddy.len()), (2, 1));
        for kept in kept.into_iter().chain(caddy) {
            // Also where somebody forgot to name the proxy.
            assert!(Duration::from_secs(kept) < limits.idle.min(limits.idle_of_proxy));
        }
    }
}
