//! Statements on `login_failures` and `login_budgets`: the rules of [`crate::log_in`], decided by the database.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use uuid::Uuid;

use super::schema::{login_budgets, login_failures, sessions};
use super::{DbError, Tx};
use crate::log_in::counter::{Counter, Row};
use crate::log_in::delay::{AHEAD, Budget, FREE, Failures, Origin, Tally};

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
    pub fn tally(&mut self, counter: &Counter) -> Result<Tally, DbError> {
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
        counter: &Counter,
        now: i64,
    ) -> Result<Option<Failures>, DbError> {
        let over = over(counter.origin, "excluded.tag", "excluded.failed_at");
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
        let spent = self.spend(counter.origin, &counter.budget, counter.user, now)?;
        Ok(spent.then_some(Failures {
            count: row.count,
            last_at: now,
        }))
    }

    /// Takes one verdict out of a budget, if there is one.
    fn spend(
        &mut self,
        origin: Origin,
        budget: &Row,
        user: Option<Uuid>,
        now: i64,
    ) -> Result<bool, DbError> {
        let every = origin.every();
        let capacity = every * origin.most();
        let (left, wrong_clock) = (capacity - every, capacity + AHEAD);
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

    /// Forgets the failures of a counter, since the password was right, unless a delay is on or the budget is
    /// spent. Gives the seconds that this still lasts. The budget stays as it is: others spend it as well.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn forgive_login_failures(&mut self, counter: &Counter, now: i64) -> Result<i64, DbError> {
        let spent = self.tally(counter)?.budget.wait(counter.origin, now);
        if spent > 0 {
            return Ok(spent);
        }
        // The delete first: it waits for failures that are being counted, which a look would not see.
        diesel::sql_query(format!(
            "DELETE FROM login_failures WHERE slot = $1 AND tag = $2 AND ({})",
            over(counter.origin, "$3", "$4")
        ))
        .bind::<Text, _>(&counter.own.slot)
        .bind::<Text, _>(&counter.own.tag)
        .bind::<Text, _>(&counter.own.tag)
        .bind::<BigInt, _>(now)
        .execute(self.0)?;
        Ok(self.tally(counter)?.wait(counter.origin, now))
    }

    /// Counts a wrong current password that came with an access token of this session, and says how many it
    /// has been; `None` if the session is over.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn count_wrong_password(&mut self, session: Uuid) -> Result<Option<i64>, DbError> {
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
    pub fn hold_session(&mut self, session: Uuid, most: i64) -> Result<bool, DbError> {
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
    pub fn delete_old_login_failures(&mut self, before: i64, limit: i64) -> Result<usize, DbError> {
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
            .bind::<BigInt, _>(limit)
            .bind::<BigInt, _>(before)
            .execute(self.0)?;
        }
        Ok(deleted)
    }
}

/// Whether a row's delay is over for this tag at this time, in SQL; [`Failures::wait`] in the database.
fn over(origin: Origin, tag: &str, now: &str) -> String {
    let delays: Vec<String> = origin
        .delays()
        .map(|(count, delay)| format!(" WHEN {count} THEN {delay}"))
        .collect();
    let longest = origin.longest();
    // A CASE wants one branch at least.
    let delays = format!(
        "CASE login_failures.failures WHEN 0 THEN 0{} ELSE {longest} END",
        delays.concat()
    );
    format!(
        "login_failures.tag <> {tag} OR login_failures.failures < {FREE} \
         OR {now} - login_failures.failed_at NOT BETWEEN -{AHEAD} AND {delays} - 1"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::db::Caller;
    use crate::db::Db;
    use crate::settings::DatabaseUrl;

    const LONG_AGO: i64 = 1_000_000_000;

    fn counter(origin: Origin, what: &str) -> Counter {
        let row = |slot: String| Row {
            slot,
            tag: "tag".into(),
        };
        Counter {
            origin,
            own: row(format!("own {origin:?} {what}")),
            budget: row(format!("budget {origin:?} {what}")),
            user: None,
        }
    }

    async fn written<T: Send + 'static>(
        unit: impl FnMut(&mut Tx<'_>) -> Result<T, DbError> + Send + 'static,
    ) -> T {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("keyturn.db"));
        let db = Db::open(&url, Duration::ZERO).unwrap();
        db.write(crate::sessions::deadline(&Caller::cli()), unit)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn the_database_and_the_rules_agree_when_a_delay_is_over() {
        written(|tx| {
            for origin in [Origin::Network, Origin::Device] {
                for count in 1..=13 {
                    for passed in [
                        -100, -60, -1, 0, 1, 2, 4, 7, 8, 31, 32, 59, 60, 61, 3599, 3600,
                    ] {
                        let case = format!("{origin:?}, {count} failures, {passed} s ago");
                        let (counted, forgiven) = (
                            counter(origin, &format!("count {case}")),
                            counter(origin, &format!("forgive {case}")),
                        );
                        let mut now = LONG_AGO;
                        for _ in 0..count {
                            now += 10_000;
                            assert!(tx.count_login_failure(&counted, now)?.is_some(), "{case}");
                            assert!(tx.count_login_failure(&forgiven, now)?.is_some(), "{case}");
                        }
                        let failures = tx.tally(&counted)?.failures;
                        now += passed;
                        let wait = failures.wait(origin, now);
                        let one_more = tx.count_login_failure(&counted, now)?.is_some();
                        let left = tx.forgive_login_failures(&forgiven, now)?;
                        assert_eq!(failures.count, count, "{case}");
                        assert_eq!(one_more, wait == 0, "{case}: {wait}");
                        assert_eq!(left, wait, "{case}");
                    }
                }
            }
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    async fn the_database_and_the_rules_agree_on_what_is_left_of_a_budget() {
        written(|tx| {
            for origin in [Origin::Network, Origin::Device] {
                let mut model = Budget::default();
                let mut now = LONG_AGO;
                let mut refused = 0;
                for n in 0..1_000_i64 {
                    // Every failure comes from elsewhere, so that the budget alone decides. Time passes unevenly,
                    // stands, and now and then goes back a little.
                    let from = Counter {
                        own: counter(origin, &n.to_string()).own,
                        ..counter(origin, "all")
                    };
                    now += [0, 0, 0, 1, 7, 0, 53, -3, 0, 0][usize::try_from(n % 10).unwrap()];
                    let wait = model.wait(origin, now);
                    assert_eq!(tx.tally(&from)?.budget, model);
                    assert_eq!(tx.forgive_login_failures(&from, now)?, wait, "{n}");
                    let counted = tx.count_login_failure(&from, now)?.is_some();
                    assert_eq!(counted, wait == 0, "{origin:?} {n}: {wait}");
                    if counted {
                        model.full_at = model.full_at.max(now) + origin.every();
                    } else {
                        refused += 1;
                    }
                }
                assert!((1..999).contains(&refused), "{refused}");
                // A budget that a wrong clock spent long ahead of time shuts nobody out.
                let from = counter(origin, "all");
                tx.spend(origin, &from.budget, None, now + 1_000_000)?;
                assert!(tx.spend(origin, &from.budget, None, now)?);
                assert_eq!(tx.tally(&from)?.budget.full_at, now + origin.every());
            }
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    async fn counters_that_no_longer_matter_are_deleted_a_few_at_a_time() {
        written(|tx| {
            for n in 0..30 {
                let at = if n < 25 { LONG_AGO } else { LONG_AGO + 100_000 };
                tx.count_login_failure(&counter(Origin::Network, &n.to_string()), at)?;
            }
            let before = LONG_AGO + 50_000;
            assert_eq!(tx.delete_old_login_failures(before, 20)?, 40);
            assert_eq!(tx.delete_old_login_failures(before, 20)?, 10);
            assert_eq!(tx.delete_old_login_failures(before, 20)?, 0);
            Ok(())
        })
        .await;
    }
}
