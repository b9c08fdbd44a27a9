//! What a refresh token that is not the current one means: the table of rotation rules as one function.
//!
//! Pure: a row, a generation, a time. The database acts on the judgement only if the row is still as judged.

use std::net::IpAddr;

use chassis::client_address::network;

use crate::db::{Generation, Session};
use crate::error::Over;

/// The settings that the judgement needs; all in seconds or counts.
#[derive(Clone, Copy, Debug)]
pub struct RotationRules {
    /// How long an exchanged token is answered with the same successor.
    pub grace: i64,
    /// Generations in a row that may be handed out after that.
    pub late_retries: i64,
    /// How long an access token lives at most.
    pub access_ttl: i64,
    /// For how long after its end a gate may still accept it: the skew, and what clocks are apart.
    pub accepted: i64,
}

/// What to do with a presented refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The session is over.
    Over(Over),
    /// The current token: rotate.
    Current,
    /// The one before, within the grace time or once more: answer with the current one, write nothing.
    Retry,
    /// The one before, after the grace time: answer with the current one and keep count.
    LateRetry,
    /// An older one, just overtaken: refuse, change nothing.
    Superseded,
    /// A used-up one came back: end the session.
    Reuse,
    /// The same for a session that is over without having been ended, while a gate may still accept an access token
    /// of it: end it for all to hear, and refuse as over.
    ReuseOfOver(Over),
    /// Newer than the row: the database was set back. Catch up and rotate.
    Behind,
}

/// Is the session over, and why?
#[must_use]
pub fn over(row: &Session, now: i64) -> Option<Over> {
    match row.ended {
        Some((_, reason)) => Some(Over::Ended(reason)),
        None if row.absolute_until <= now => Some(Over::Absolute),
        None if row.idle_until <= now => Some(Over::Idle),
        None => None,
    }
}

/// Was the row rotated so short a while ago that the token before is simply answered again?
#[must_use]
pub fn in_grace(row: &Session, now: i64, rules: RotationRules) -> bool {
    // A rotation in the future is another replica's clock running ahead: it counts as now.
    now.saturating_sub(row.rotated_at).max(0) < rules.grace
}

/// Where a retry comes from that does not come from where the rotation came from, as far as can be told:
/// from another network, another user agent, or both. It may be a copy of the pair; it may as well be an
/// honest client with two ways out.
#[must_use]
pub fn elsewhere(row: &Session, address: &str, agent: &str) -> Option<&'static str> {
    let other_agent = row.agent.as_deref().is_some_and(|known| known != agent);
    match (same_network(&row.address, address), other_agent) {
        (true, false) => None,
        (true, true) => Some("another user agent"),
        (false, false) => Some("another network"),
        (false, true) => Some("another network and user agent"),
    }
}

fn same_network(one: &str, other: &str) -> bool {
    match (one.parse::<IpAddr>(), other.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => network(one) == network(other),
        _ => one == other,
    }
}

/// The second from which on no gate accepts an access token of the session, however it ended by itself.
fn accepted_until(row: &Session, rules: RotationRules) -> i64 {
    row.idle_until
        .saturating_add(rules.access_ttl)
        .min(row.absolute_until)
        .saturating_add(rules.accepted)
}

/// Judges generation `presented` of a genuine token against its session's row.
#[must_use]
pub fn judge(row: &Session, presented: Generation, now: i64, rules: RotationRules) -> Judgement {
    let judgement = judge_live(row, presented, now, rules);
    match over(row, now) {
        None => judgement,
        Some(over) if row.ended.is_some() || accepted_until(row, rules) <= now => {
            Judgement::Over(over)
        }
        Some(over) if judgement == Judgement::Reuse => Judgement::ReuseOfOver(over),
        Some(over) => Judgement::Over(over),
    }
}

fn judge_live(row: &Session, presented: Generation, now: i64, rules: RotationRules) -> Judgement {
    let in_grace = in_grace(row, now, rules);
    match row.generation.ahead_of(presented) {
        0 => Judgement::Current,
        ..0 => Judgement::Behind,
        1 if in_grace => Judgement::Retry,
        // This generation was handed out late already: an answer lost twice is no worse than once.
        1 if row.late_generation == row.generation => Judgement::Retry,
        1 if row.late_streak < rules.late_retries => Judgement::LateRetry,
        2.. if in_grace => Judgement::Superseded,
        _ => Judgement::Reuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{EndReason, SessionKind};
    use uuid::Uuid;

    const RULES: RotationRules = RotationRules {
        grace: 30,
        late_retries: 3,
        access_ttl: 300,
        accepted: 360,
    };

    fn row() -> Session {
        Session {
            id: Uuid::nil().into(),
            user: Some(Uuid::nil().into()),
            generation: Generation(5),
            nonce: [0; 16],
            created_at: 0,
            rotated_at: 1000,
            idle_until: 2000,
            absolute_until: 3000,
            late_generation: Generation(0),
            late_streak: 0,
            ended: None,
            device: String::new(),
            address: "203.0.113.7".into(),
            agent: Some("Firefox".into()),
            seen_at: 0,
            seen_address: String::new(),
            sighting: None,
            shown_sighting: None,
            kind: SessionKind::Account,
            parent: None,
            grant: None,
        }
    }

    #[test]
    fn elsewhere_is_another_network_or_another_user_agent() {
        let v6 = |address: &str| Session {
            address: address.into(),
            ..row()
        };
        let unknown = Session {
            agent: None,
            ..row()
        };
        for (row, address, agent, expected) in [
            (row(), "203.0.113.7", "Firefox", None),
            (row(), "203.0.113.8", "Firefox", Some("another network")),
            (row(), "203.0.113.7", "curl", Some("another user agent")),
            (row(), "203.0.113.7", "", Some("another user agent")),
            (
                row(),
                "2001:db8::1",
                "curl",
                Some("another network and user agent"),
            ),
            // A household has a whole /64.
            (v6("2001:db8:1:2::3"), "2001:db8:1:2:f::9", "Firefox", None),
            (
                v6("2001:db8:1:2::3"),
                "2001:db8:1:3::3",
                "Firefox",
                Some("another network"),
            ),
            // Without an address (a socket that has none), the words are compared.
            (v6(""), "", "Firefox", None),
            (v6(""), "203.0.113.7", "Firefox", Some("another network")),
            // The version before did not note the user agent.
            (unknown.clone(), "203.0.113.7", "curl", None),
            (unknown, "203.0.113.9", "curl", Some("another network")),
        ] {
            assert_eq!(
                elsewhere(&row, address, agent),
                expected,
                "{} and {address}, {agent:?}",
                row.address
            );
        }
    }

    #[test]
    fn every_row_of_the_table() {
        let late_once = Session {
            late_generation: Generation(5),
            late_streak: 3,
            ..row()
        };
        let streak_full = Session {
            late_generation: Generation(4),
            late_streak: 3,
            ..row()
        };
        let ended = Session {
            ended: Some((1, EndReason::Password)),
            ..row()
        };
        let at_the_end = Session {
            idle_until: 3000,
            ..row()
        };
        for (row, presented, now, expected) in [
            (row(), 5, 1001, Judgement::Current),
            (row(), 4, 1029, Judgement::Retry),
            (row(), 4, 1030, Judgement::LateRetry),
            (late_once.clone(), 4, 1500, Judgement::Retry),
            (streak_full.clone(), 4, 1029, Judgement::Retry),
            (streak_full, 4, 1030, Judgement::Reuse),
            (row(), 3, 1029, Judgement::Superseded),
            (row(), 3, 1030, Judgement::Reuse),
            (row(), 1, 1030, Judgement::Reuse),
            (late_once, 3, 1030, Judgement::Reuse),
            (row(), 6, 1001, Judgement::Behind),
            (row(), 4, 500, Judgement::Retry),
            (row(), 5, 2000, Judgement::Over(Over::Idle)),
            (row(), 5, 1999, Judgement::Current),
            (
                Session {
                    idle_until: 3000,
                    ..row()
                },
                5,
                3000,
                Judgement::Over(Over::Absolute),
            ),
            // Over by itself: a used-up one is seen while an access token may be accepted.
            (row(), 3, 2000, Judgement::ReuseOfOver(Over::Idle)),
            (row(), 3, 2659, Judgement::ReuseOfOver(Over::Idle)),
            (row(), 3, 2660, Judgement::Over(Over::Idle)),
            (row(), 4, 2000, Judgement::Over(Over::Idle)),
            (row(), 6, 2000, Judgement::Over(Over::Idle)),
            (
                at_the_end.clone(),
                3,
                3359,
                Judgement::ReuseOfOver(Over::Absolute),
            ),
            (at_the_end, 3, 3360, Judgement::Over(Over::Absolute)),
            (
                ended.clone(),
                3,
                2000,
                Judgement::Over(Over::Ended(EndReason::Password)),
            ),
            (
                ended,
                5,
                3000,
                Judgement::Over(Over::Ended(EndReason::Password)),
            ),
        ] {
            assert_eq!(
                judge(&row, Generation(presented), now, RULES),
                expected,
                "presented {presented} at {now}"
            );
        }
    }
}
