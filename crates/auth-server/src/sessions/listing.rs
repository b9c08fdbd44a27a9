//! How much the holder of a pair hears about the session's use: never so much that it tells when the last
//! rotation was.
//!
//! A copy of a pair that always follows its owner within the grace time is never found out. All its holder
//! needs is the moment of each rotation, so nothing that a token opens may tell it: what the list shows changes
//! at the borders of a grid only, never when a rotation happens or a retry comes from elsewhere, and a retry is
//! answered the same lifetime as the rotation was.

use shared::clock::seconds;

use super::Sessions;
use crate::db::{Session, SessionKind, Sighting};
use crate::db::{SessionId, UserId};
use crate::error::Error;

/// The grid of the times that are shown, in seconds.
const HOUR: i64 = 3600;

/// A shorter idle lifetime has a finer grid, of this many steps.
const STEPS: i64 = 8;

/// A live session as its user may see it.
pub struct Listed {
    /// The `sid` of its access tokens.
    pub id: SessionId,
    /// The user agent at log-in.
    pub device: String,
    /// The address of the use that `last_used_at` tells of.
    pub address: String,
    /// Unix seconds of log-in.
    pub created_at: i64,
    /// Unix seconds, a full hour: what was known when the grid's last border passed.
    pub last_used_at: i64,
    /// Another place that its tokens were asked for from; the time is a full hour.
    pub also_used_from: Option<Sighting>,
    /// Unix seconds, as coarse: over from about then on unless refreshed.
    pub idle_expires_at: i64,
    /// Unix seconds: over from then on.
    pub absolute_expires_at: i64,
    /// What it is.
    pub kind: SessionKind,
    /// The id of its client, if it is one's.
    pub client: Option<String>,
    /// The browser's session that it came from.
    pub parent: Option<SessionId>,
}

impl Sessions {
    /// The live sessions of a user, newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self, user: UserId, now: i64) -> Result<Vec<Listed>, Error> {
        let live = self.db.read(move |tx| tx.list_sessions(user, now)).await?;
        let live = live.into_iter();
        Ok(live.map(|session| self.shown(session, now)).collect())
    }

    /// What of a live session its user may see, and who else may know of it.
    pub(super) fn shown(&self, session: Session, now: i64) -> Listed {
        let idle = match session.kind {
            SessionKind::Browser => seconds(self.lifetimes.sso_idle_ttl),
            _ => self.idle_lifetime(),
        };
        listed(session, idle, now)
    }

    pub(super) fn idle_lifetime(&self) -> i64 {
        seconds(self.lifetimes.refresh_idle_ttl)
    }

    /// The second from which on, at `now`, a use is too fresh to be shown.
    pub(super) fn shown_from(&self, now: i64) -> i64 {
        floor(now, step(self.idle_lifetime()))
    }
}

fn listed(session: Session, idle: i64, now: i64) -> Listed {
    let step = step(idle);
    let border = floor(now, step);
    let (used_at, address) = if session.rotated_at < border {
        (session.rotated_at, session.address)
    } else {
        (session.seen_at, session.seen_address)
    };
    let fresh = |seen: &Sighting| seen.at >= border;
    let elsewhere = match session.sighting {
        Some(seen) if !fresh(&seen) => Some(seen),
        _ => session.shown_sighting,
    };
    // It lives, so its idle end is not past, though by an older use it would be.
    let idle_end = floor(used_at, step)
        .saturating_add(idle)
        .max(border.saturating_add(step));
    Listed {
        id: session.id,
        device: session.device,
        address,
        created_at: session.created_at,
        // The log-in is no secret, and nothing is used before it.
        last_used_at: floor(used_at, HOUR).max(session.created_at),
        also_used_from: elsewhere.map(|seen| Sighting {
            at: floor(seen.at, HOUR),
            ..seen
        }),
        idle_expires_at: idle_end.min(session.absolute_until),
        absolute_expires_at: session.absolute_until,
        kind: session.kind,
        client: session.grant.map(|grant| grant.client),
        parent: session.parent,
    }
}

/// `refreshExpiresIn` of a log-in, of a rotation, and of a retry within the grace time: it knows nothing of the
/// row, so that it cannot tell how long ago the rotation was. In seconds.
pub(super) fn expires_in(idle: i64, absolute_until: i64, now: i64) -> i64 {
    idle.min(absolute_until.saturating_sub(now))
}

/// The same for a retry that came later: the idle end is what it is, but both ends of the span are taken from
/// the grid. At least a step, since the session lives.
pub(super) fn expires_in_late(session: &Session, idle: i64, now: i64) -> i64 {
    let step = step(idle);
    floor(session.idle_until, step)
        .saturating_sub(floor(now, step))
        .max(step)
        .min(session.absolute_until.saturating_sub(now))
}

/// The step of the grid for an idle lifetime; both in seconds.
fn step(idle: i64) -> i64 {
    (idle / STEPS).clamp(1, HOUR)
}

fn floor(time: i64, step: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Generation;

    const DAY: i64 = 24 * HOUR;
    /// A full hour.
    const NOON: i64 = 1_800_000_000;

    fn session(rotated_at: i64, seen_at: i64) -> Session {
        Session {
            id: uuid::Uuid::nil().into(),
            user: None,
            generation: Generation(7),
            nonce: [0; 16],
            created_at: NOON - DAY,
            rotated_at,
            idle_until: rotated_at + 14 * DAY,
            absolute_until: NOON + 29 * DAY,
            late_generation: Generation(0),
            late_streak: 0,
            ended: None,
            device: "Firefox".into(),
            address: "new".into(),
            agent: None,
            seen_at,
            seen_address: "old".into(),
            sighting: None,
            shown_sighting: None,
            kind: SessionKind::Account,
            parent: None,
            grant: None,
        }
    }

    fn shown(session: &Session, idle: i64, now: i64) -> (i64, String, i64) {
        let listed = listed(session.clone(), idle, now);
        (listed.last_used_at, listed.address, listed.idle_expires_at)
    }

    #[test]
    fn a_use_is_shown_from_the_next_full_hour_on() {
        assert_eq!(NOON % HOUR, 0);
        let session = session(NOON + 1234, NOON - 5 * HOUR - 10);
        let before = (
            NOON - 6 * HOUR,
            "old".to_owned(),
            NOON - 6 * HOUR + 14 * DAY,
        );
        for now in [NOON + 1234, NOON + 1235, NOON + HOUR - 1] {
            assert_eq!(shown(&session, 14 * DAY, now), before, "{now}");
        }
        let after = (NOON, "new".to_owned(), NOON + 14 * DAY);
        for now in [NOON + HOUR, NOON + 5 * HOUR] {
            assert_eq!(shown(&session, 14 * DAY, now), after, "{now}");
        }
    }

    #[test]
    fn a_retry_from_elsewhere_is_shown_from_the_next_full_hour_on() {
        let seen = |at, address: &str| {
            Some(Sighting {
                generation: Generation(7),
                at,
                address: address.into(),
                device: "curl".into(),
            })
        };
        let mark = |session: &Session, now| {
            let listed = listed(session.clone(), 14 * DAY, now);
            listed.also_used_from.map(|seen| (seen.at, seen.address))
        };
        let mut session = session(NOON - 10, NOON - DAY);
        session.sighting = seen(NOON + 1234, "fresh");
        for (before, shown) in [
            (None, None),
            (
                seen(NOON - DAY + 5, "older"),
                Some((NOON - DAY, "older".to_owned())),
            ),
        ] {
            session.shown_sighting = before;
            for now in [NOON + 1234, NOON + HOUR - 1] {
                assert_eq!(mark(&session, now), shown, "{now}");
            }
            let after = Some((NOON, "fresh".to_owned()));
            assert_eq!(mark(&session, NOON + HOUR), after);
            assert_eq!(mark(&session, NOON + DAY), after);
        }
    }

    #[test]
    fn what_is_shown_is_sensible_whatever_the_lifetime() {
        for idle in [1, 7, 60, 600, HOUR, 5 * HOUR, 14 * DAY] {
            for used in 0..50 {
                let rotated_at = NOON - used * idle / 50;
                let mut session = session(rotated_at, rotated_at - idle / 2);
                session.idle_until = rotated_at + idle;
                let shown = listed(session.clone(), idle, NOON).idle_expires_at;
                assert!(shown > NOON, "{idle} {used}: over already");
                assert!(
                    idle < STEPS || shown <= session.idle_until + step(idle),
                    "{idle} {used}"
                );
                let late = expires_in_late(&session, idle, NOON);
                assert!(late > 0, "{idle} {used}: {late}");
                assert!(
                    (late - (session.idle_until - NOON)).abs() <= step(idle),
                    "{idle} {used}: {late}"
                );
            }
        }
    }

    #[test]
    fn the_absolute_end_is_the_end_of_all_that_is_shown() {
        let mut session = session(NOON - 10, NOON - DAY);
        session.absolute_until = NOON + 100;
        session.idle_until = NOON + 100;
        assert_eq!(
            listed(session.clone(), 14 * DAY, NOON).idle_expires_at,
            NOON + 100
        );
        assert_eq!(expires_in_late(&session, 14 * DAY, NOON), 100);
        assert_eq!(expires_in(14 * DAY, NOON + 100, NOON), 100);
        assert_eq!(expires_in(14 * DAY, NOON + 20 * DAY, NOON), 14 * DAY);
    }

    #[test]
    fn a_late_retry_tells_no_more_than_the_hour_of_the_rotation() {
        let answers = |second: i64| {
            let session = session(NOON - 5 * HOUR + second, 0);
            [0, 1, 1799, HOUR - 1].map(|later| expires_in_late(&session, 14 * DAY, NOON + later))
        };
        for second in [1, 59, 1800, HOUR - 1] {
            assert_eq!(answers(second), [14 * DAY - 5 * HOUR; 4], "{second}");
        }
    }
}
