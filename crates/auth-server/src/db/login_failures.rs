//! Statements on `login_failures`.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use uuid::Uuid;

use super::schema::{login_failures, sessions};
use super::{DbError, Tx};
use crate::login_delay::{self, Counter, Failures};

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    failures: i64,
}

impl Tx<'_> {
    /// The addresses of an account's live sessions. Asked for nobody as well: the same work.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn addresses_of(&mut self, user: Option<Uuid>, now: i64) -> Result<Vec<String>, DbError> {
        Ok(sessions::table
            .filter(sessions::user_id.eq(user.unwrap_or_default().to_string()))
            .filter(sessions::ended_at.is_null())
            .filter(sessions::idle_until.gt(now))
            .filter(sessions::absolute_until.gt(now))
            .select(sessions::address)
            .distinct()
            .load(self.0)?)
    }

    /// The failures in a row of a counter.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn login_failures(&mut self, counter: &Counter) -> Result<Failures, DbError> {
        let found = login_failures::table
            .filter(login_failures::slot.eq(&counter.slot))
            .filter(login_failures::tag.eq(&counter.tag))
            .select((login_failures::failures, login_failures::failed_at))
            .first::<(i64, i64)>(self.0)
            .optional()?;
        Ok(found
            .map(|(count, last_at)| Failures { count, last_at })
            .unwrap_or_default())
    }

    /// Counts one more failure, unless a delay is on: then `None`. Another e-mail's count in the slot is
    /// forgotten. One statement decides, so that of many guesses at once no more are counted than may be.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn count_login_failure(
        &mut self,
        counter: &Counter,
        now: i64,
    ) -> Result<Option<Failures>, DbError> {
        let over = over("excluded.tag", "excluded.failed_at");
        let row: Option<CountRow> = diesel::sql_query(format!(
            "INSERT INTO login_failures (slot, tag, user_id, failures, failed_at) VALUES ($1, $2, $3, 1, $4) \
             ON CONFLICT (slot) DO UPDATE SET \
               failures = CASE WHEN login_failures.tag = excluded.tag THEN login_failures.failures + 1 ELSE 1 END, \
               tag = excluded.tag, failed_at = excluded.failed_at \
             WHERE {over} RETURNING failures"
        ))
        .bind::<Text, _>(&counter.slot)
        .bind::<Text, _>(&counter.tag)
        .bind::<Nullable<Text>, _>(counter.user.map(|id| id.to_string()))
        .bind::<BigInt, _>(now)
        .get_result(self.0)
        .optional()?;
        Ok(row.map(|row| Failures {
            count: row.failures,
            last_at: now,
        }))
    }

    /// Forgets the failures of a counter, since the password was right, unless a delay is on. Gives the
    /// seconds that it still lasts.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn forgive_login_failures(&mut self, counter: &Counter, now: i64) -> Result<i64, DbError> {
        // The delete first: it waits for failures that are being counted, which a look would not see.
        diesel::sql_query(format!(
            "DELETE FROM login_failures WHERE slot = $1 AND ({})",
            over("$2", "$3")
        ))
        .bind::<Text, _>(&counter.slot)
        .bind::<Text, _>(&counter.tag)
        .bind::<BigInt, _>(now)
        .execute(self.0)?;
        Ok(self.login_failures(counter)?.wait(now))
    }
}

/// Whether a row's delay is over for this tag at this time, in SQL; [`Failures::wait`] in the database.
fn over(tag: &str, now: &str) -> String {
    let delays: Vec<String> = login_delay::delays()
        .map(|(count, delay)| format!(" WHEN {count} THEN {delay}"))
        .collect();
    let delays = delays.concat();
    let (free, longest, ahead) = (login_delay::FREE, login_delay::LONGEST, login_delay::AHEAD);
    format!(
        "login_failures.tag <> {tag} OR login_failures.failures < {free} \
         OR {now} - login_failures.failed_at NOT BETWEEN -{ahead} \
            AND CASE login_failures.failures{delays} ELSE {longest} END - 1"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::db::Db;
    use crate::model::Caller;
    use crate::settings::DatabaseUrl;

    #[tokio::test]
    async fn the_database_and_the_rules_agree_when_a_delay_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("keyturn.db"));
        let db = Db::open(&url, Duration::ZERO).unwrap();
        for count in 1..=12 {
            for passed in [-100, -1, 0, 1, 2, 3, 4, 7, 8, 15, 16, 29, 30, 31] {
                let slot_of = |what: &str| Counter {
                    slot: format!("{what} {count} {passed}"),
                    tag: "tag".into(),
                    user: None,
                };
                let (counted, forgiven) = (slot_of("count"), slot_of("forgive"));
                let deadline = crate::sessions::deadline(&Caller::cli());
                let unit = db.write(deadline, move |tx| {
                    let mut now = 0;
                    for _ in 0..count {
                        now += 1000;
                        tx.count_login_failure(&counted, now)?;
                        tx.count_login_failure(&forgiven, now)?;
                    }
                    let failures = tx.login_failures(&counted)?;
                    now += passed;
                    let wait = failures.wait(now);
                    let one_more = tx.count_login_failure(&counted, now)?.is_some();
                    let left = tx.forgive_login_failures(&forgiven, now)?;
                    Ok((failures.count, wait, one_more, left))
                });
                let (counted, wait, one_more, left) = unit.await.unwrap();
                let case = format!("{count} failures, {passed} s ago");
                assert_eq!(counted, count, "{case}");
                assert_eq!(one_more, wait == 0, "{case}: {wait}");
                assert_eq!(left, wait, "{case}");
            }
        }
    }
}
