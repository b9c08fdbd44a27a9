//! What a refresh token that is not the current one means: the table of rotation rules as one function.
//!
//! Pure: a row, a generation, a time. The database acts on the judgement only if the row is still as judged.

use crate::model::{EndReason, Session};

/// The settings that the judgement needs; all in seconds or counts.
#[derive(Clone, Copy, Debug)]
pub struct RotationRules {
    /// How long an exchanged token is answered with the same successor.
    pub grace: i64,
    /// Generations in a row that may be handed out after that.
    pub late_retries: i64,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Not refreshed for too long.
    Idle,
    /// Its absolute end has come.
    Absolute,
    /// Nothing is known of it any more.
    Gone,
    /// Someone ended it.
    Ended(EndReason),
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

/// Judges generation `presented` of a genuine token against its session's row.
#[must_use]
pub fn judge(row: &Session, presented: i64, now: i64, rules: RotationRules) -> Judgement {
    if let Some(over) = over(row, now) {
        return Judgement::Over(over);
    }
    // A rotation in the future is another replica's clock running ahead: it counts as now.
    let in_grace = now.saturating_sub(row.rotated_at).max(0) < rules.grace;
    match row.generation.saturating_sub(presented) {
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
    use uuid::Uuid;

    const RULES: RotationRules = RotationRules {
        grace: 30,
        late_retries: 3,
    };

    fn row() -> Session {
        Session {
            id: Uuid::nil(),
            user: Some(Uuid::nil()),
            generation: 5,
            nonce: [0; 16],
            created_at: 0,
            rotated_at: 1000,
            idle_until: 2000,
            absolute_until: 3000,
            late_generation: 0,
            late_streak: 0,
            ended: None,
            device: String::new(),
            address: String::new(),
        }
    }

    #[test]
    fn every_row_of_the_table() {
        let late_once = Session {
            late_generation: 5,
            late_streak: 3,
            ..row()
        };
        let streak_full = Session {
            late_generation: 4,
            late_streak: 3,
            ..row()
        };
        let ended = Session {
            ended: Some((1, EndReason::Password)),
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
            (
                ended,
                5,
                3000,
                Judgement::Over(Over::Ended(EndReason::Password)),
            ),
        ] {
            assert_eq!(
                judge(&row, presented, now, RULES),
                expected,
                "presented {presented} at {now}"
            );
        }
    }
}
