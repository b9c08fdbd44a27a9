//! Statements on `login_failures` and `login_budgets`: the rules of [`crate::log_in`], decided by the database.

use std::fmt::Write;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::schema::{login_budgets, login_failures, sessions};
use super::{DbError, Tx};
use super::{SessionId, UserId};

/// A row, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterRow {
    /// Its name.
    pub slot: String,
    /// Who is counted in it: somebody else in the same row begins anew.
    pub tag: String,
}

/// Where the failures of an attempt are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterRows {
    /// The failures of this network or device.
    pub own: CounterRow,
    /// The account's budget for all of them.
    pub budget: CounterRow,
    /// The account, if there is one.
    pub user: Option<UserId>,
}

/// The rules of guessing, as far as statements decide by them. All in seconds or counts.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Failures in a row that cost nothing.
    pub free: i64,
    /// Every count of failures whose delay is shorter than the longest, and that delay.
    pub delays: Vec<(i64, i64)>,
    /// The longest delay.
    pub longest: i64,
    /// In so many seconds the budget grows by one verdict.
    pub every: i64,
    /// Verdicts in a full budget.
    pub most: i64,
    /// What is further ahead was written by a wrong clock.
    pub ahead: i64,
}

/// The failures in a row of one network or device, as they are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: i64,
    /// Unix seconds of the last.
    pub last_at: i64,
}

/// What is left of an account's verdicts, as it is stored: the time at which the budget will be full again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Unix seconds; in the past for a full one.
    pub full_at: i64,
}

/// What is known of whoever asks: failures, and the account's budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The network's or device's own.
    pub failures: Failures,
    /// The account's.
    pub budget: Budget,
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

impl Tx<'_> {
    /// The failures in a row of a counter, and the account's budget.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn tally(&mut self, counter: &CounterRows) -> Result<Tally, DbError> {
        let failures = login_failures::table
            .filter(login_failures::slot.eq(&counter.own.slot))
            .filter(login_failures::tag.eq(&counter.own.tag))
            .select((login_failures::failures, login_failures::failed_at))
            .first::<(i64, i64)>(self.0)
            .optional()?
            .map(|(count, last_at)| Failures { count, last_at });
        let budget = login_budgets::table
            .filter(login_budgets::slot.eq(&counter.budget.slot))
            .filter(login_budgets::tag.eq(&counter.budget.tag))
            .select(login_budgets::full_at)
            .first::<i64>(self.0)
            .optional()?
            .map(|full_at| Budget { full_at });
        Ok(Tally {
            failures: failures.unwrap_or_default(),
            budget: budget.unwrap_or_default(),
        })
    }

    /// Counts one more failure and takes its verdict out of the account's budget; `None` if a delay is on or
    /// the budget is spent. Two statements decide, so that of many guesses at once no more are counted than may
    /// be. Who is refused by the second is counted all the same: it costs nobody but the one who asked.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn count_login_failure(
        &mut self,
        counter: &CounterRows,
        limits: &Limits,
        now: i64,
    ) -> Result<Option<Failures>, DbError> {
        let over = over(limits, "excluded.tag", "excluded.failed_at");
        let row: Option<CountRow> = diesel::sql_query(format!(
            "INSERT INTO login_failures (slot, tag, user_id, failures, failed_at) VALUES ($1, $2, $3, 1, $4) \
             ON CONFLICT (slot) DO UPDATE SET \
               failures = CASE WHEN login_failures.tag = excluded.tag THEN login_failures.failures + 1 ELSE 1 END, \
               tag = excluded.tag, failed_at = excluded.failed_at \
             WHERE {over} RETURNING failures AS count"
        ))
        .bind::<Text, _>(&counter.own.slot)
        .bind::<Text, _>(&counter.own.tag)
        .bind::<Nullable<Text>, _>(counter.user.map(|id| id.to_string()))
        .bind::<BigInt, _>(now)
        .get_result(self.0)
        .optional()?;
        let Some(row) = row else { return Ok(None) };
        let spent = self.spend(limits, &counter.budget, counter.user, now)?;
        Ok(spent.then_some(Failures {
            count: row.count,
            last_at: now,
        }))
    }

    /// Takes one verdict out of a budget, if there is one.
    fn spend(
        &mut self,
        limits: &Limits,
        budget: &CounterRow,
        user: Option<UserId>,
        now: i64,
    ) -> Result<bool, DbError> {
        let every = limits.every;
        let capacity = every * limits.most;
        let (left, wrong_clock) = (capacity - every, capacity + limits.ahead);
        // `excluded.full_at` is that of a full budget after this verdict: now + every.
        let hit = diesel::sql_query(format!(
            "INSERT INTO login_budgets (slot, tag, user_id, full_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (slot) DO UPDATE SET \
               full_at = CASE WHEN login_budgets.tag = excluded.tag \
                   AND login_budgets.full_at - excluded.full_at + {every} BETWEEN 0 AND {wrong_clock} \
                 THEN login_budgets.full_at + {every} ELSE excluded.full_at END, \
               tag = excluded.tag \
             WHERE login_budgets.tag <> excluded.tag \
               OR login_budgets.full_at - excluded.full_at + {every} NOT BETWEEN {left} + 1 AND {wrong_clock}"
        ))
        .bind::<Text, _>(&budget.slot)
        .bind::<Text, _>(&budget.tag)
        .bind::<Nullable<Text>, _>(user.map(|id| id.to_string()))
        .bind::<BigInt, _>(now.saturating_add(every))
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Deletes the failures of a counter, unless a delay is on. It waits for failures that are being counted, which a
    /// look would not see.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn forget_login_failures(
        &mut self,
        counter: &CounterRows,
        limits: &Limits,
        now: i64,
    ) -> Result<(), DbError> {
        diesel::sql_query(format!(
            "DELETE FROM login_failures WHERE slot = $1 AND tag = $2 AND ({})",
            over(limits, "$3", "$4")
        ))
        .bind::<Text, _>(&counter.own.slot)
        .bind::<Text, _>(&counter.own.tag)
        .bind::<Text, _>(&counter.own.tag)
        .bind::<BigInt, _>(now)
        .execute(self.0)?;
        Ok(())
    }

    /// Counts a wrong current password that came with an access token of this session, and says how many it
    /// has been; `None` if the session is over.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn count_wrong_password(&mut self, session: SessionId) -> Result<Option<i64>, DbError> {
        let row: Option<CountRow> = diesel::sql_query(
            "UPDATE sessions SET wrong_passwords = wrong_passwords + 1 \
             WHERE id = $1 AND ended_at IS NULL RETURNING wrong_passwords AS count",
        )
        .bind::<Text, _>(session.to_string())
        .get_result(self.0)
        .optional()?;
        Ok(row.map(|row| row.count))
    }

    /// Takes hold of a session's row until the unit is over, if the session is not and fewer than `most` wrong
    /// current passwords came with it. It waits for those that are being counted, which a look would not see.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn hold_session(&mut self, session: SessionId, most: i64) -> Result<bool, DbError> {
        let hit = diesel::update(
            sessions::table
                .filter(sessions::id.eq(session.to_string()))
                .filter(sessions::ended_at.is_null())
                .filter(sessions::wrong_passwords.lt(most)),
        )
        .set(sessions::wrong_passwords.eq(sessions::wrong_passwords))
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Deletes up to `limit` counters of which the last failure was before `before`, and as many budgets that
    /// were full by then.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn delete_old_login_failures(&mut self, before: i64, limit: u32) -> Result<usize, DbError> {
        // The time is asked twice: a row that is being counted while it is chosen here stays.
        let mut deleted = 0;
        for (table, time) in [
            ("login_failures", "failed_at"),
            ("login_budgets", "full_at"),
        ] {
            deleted += diesel::sql_query(format!(
                "DELETE FROM {table} WHERE slot IN \
                   (SELECT slot FROM {table} WHERE {time} < $1 ORDER BY {time} LIMIT $2) AND {time} < $3"
            ))
            .bind::<BigInt, _>(before)
            .bind::<BigInt, _>(i64::from(limit))
            .bind::<BigInt, _>(before)
            .execute(self.0)?;
        }
        Ok(deleted)
    }
}

/// Whether a row's delay is over for this tag at this time, in SQL; [`Failures::wait`] in the database.
fn over(limits: &Limits, tag: &str, now: &str) -> String {
    let mut whens = String::new();
    for (count, delay) in &limits.delays {
        // Writing to a string cannot fail.
        let _ = write!(whens, " WHEN {count} THEN {delay}");
    }
    let Limits {
        free,
        longest,
        ahead,
        ..
    } = limits;
    // A CASE wants one branch at least.
    let delays = format!("CASE login_failures.failures WHEN 0 THEN 0{whens} ELSE {longest} END");
    format!(
        "login_failures.tag <> {tag} OR login_failures.failures < {free} \
         OR {now} - login_failures.failed_at NOT BETWEEN -{ahead} AND {delays} - 1"
    )
}
