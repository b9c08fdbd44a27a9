//! Statements on how many mails an account may have: a mailbox is not to be filled by whoever knows its address.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::schema::users;
use super::{DbError, Tx, UserId};

/// Mails that an account may have on request in an hour.
const LETTERS: i64 = 5;
/// Seconds in it, and seconds between two mails.
const HOUR: i64 = 3600;
const PAUSE: i64 = 60;

impl Tx<'_> {
    /// Lets an account have one more mail that somebody asked for: one a minute, and five in the hour that the first of
    /// them begins. Says in how many seconds, if not now.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn pay_for_letter(&mut self, user: UserId, now: i64) -> Result<Option<i64>, DbError> {
        // A clock that was ahead once keeps nobody waiting for longer than these.
        let hit = diesel::sql_query(
            "UPDATE users SET mailed_at = $1, \
               mails_since = CASE WHEN mails_since > $2 AND mails_since <= $3 THEN mails_since ELSE $4 END, \
               mails = CASE WHEN mails_since > $5 AND mails_since <= $6 THEN mails + 1 ELSE 1 END \
             WHERE id = $7 AND (mailed_at <= $8 OR mailed_at > $9) \
               AND (mails < $10 OR mails_since <= $11 OR mails_since > $12)",
        )
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(now - HOUR)
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(now - HOUR)
        .bind::<BigInt, _>(now)
        .bind::<Text, _>(user.to_string())
        .bind::<BigInt, _>(now - PAUSE)
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(LETTERS)
        .bind::<BigInt, _>(now - HOUR)
        .bind::<BigInt, _>(now)
        .execute(self.0)?;
        if hit == 1 {
            return Ok(None);
        }
        let LettersPaid {
            mailed_at,
            since,
            mails,
        } = self.letters_paid(user)?;
        let pause = mailed_at.saturating_add(PAUSE) - now;
        let hour = if mails < LETTERS {
            0
        } else {
            since.saturating_add(HOUR) - now
        };
        Ok(Some(pause.max(hour).clamp(1, HOUR)))
    }
}

impl Tx<'_> {
    /// Lets an account be told that somebody else wants its address: once an hour, apart from the mails that it asks for
    /// itself. `false` if it was.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn may_be_told(&mut self, user: UserId, now: i64) -> Result<bool, DbError> {
        let hit = diesel::sql_query(
            "UPDATE users SET told_at = $1 WHERE id = $2 AND (told_at <= $3 OR told_at > $4)",
        )
        .bind::<BigInt, _>(now)
        .bind::<Text, _>(user.to_string())
        .bind::<BigInt, _>(now - HOUR)
        .bind::<BigInt, _>(now)
        .execute(self.0)?;
        if hit == 1 {
            return Ok(true);
        }
        // A write all the same: that there is nothing to commit would be told by the time.
        diesel::update(users::table.filter(users::id.eq(user.to_string())))
            .set(users::told_at.eq(users::told_at))
            .execute(self.0)?;
        Ok(false)
    }
}

/// What an account has had of mails on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LettersPaid {
    mailed_at: i64,
    since: i64,
    mails: i64,
}

impl Tx<'_> {
    /// What an account has had of mails on request; nothing for an unknown one.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn letters_paid(&mut self, user: UserId) -> Result<LettersPaid, DbError> {
        let found = users::table
            .select((users::mailed_at, users::mails_since, users::mails))
            .filter(users::id.eq(user.to_string()))
            .first::<(i64, i64, i64)>(self.0)
            .optional()?;
        let (mailed_at, since, mails) = found.unwrap_or_default();
        Ok(LettersPaid {
            mailed_at,
            since,
            mails,
        })
    }

    /// Lets an account have had these.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn set_letters_paid(&mut self, user: UserId, paid: &LettersPaid) -> Result<(), DbError> {
        diesel::update(users::table.filter(users::id.eq(user.to_string())))
            .set((
                users::mailed_at.eq(paid.mailed_at),
                users::mails_since.eq(paid.since),
                users::mails.eq(paid.mails),
            ))
            .execute(self.0)?;
        Ok(())
    }
}
