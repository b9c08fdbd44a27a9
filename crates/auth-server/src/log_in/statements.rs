//! The statements on failures and budgets against the rules that they are to keep.

use std::time::Duration;

use super::counter::Counter;
use super::delay::Origin;
use crate::db::{Budget, Caller, CounterRow, CounterRows, Db, DbError, Unit};
use crate::settings::DatabaseUrl;

const LONG_AGO: i64 = 1_000_000_000;

fn counter(origin: Origin, what: &str) -> Counter {
    let row = |slot: String| CounterRow {
        slot,
        tag: "tag".into(),
    };
    Counter {
        origin,
        rows: CounterRows {
            own: row(format!("own {origin:?} {what}")),
            budget: row(format!("budget {origin:?} {what}")),
            user: None,
        },
    }
}

async fn written<T: Send + 'static>(
    unit: impl FnMut(&mut Unit<'_, '_>) -> Result<T, DbError> + Send + 'static,
) -> T {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("keyturn.db"));
    let db = Db::open(&url, Duration::ZERO).unwrap();
    db.write(&Caller::cli(), unit).await.unwrap()
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
                        assert!(counted.count(tx, now)?.is_some(), "{case}");
                        assert!(forgiven.count(tx, now)?.is_some(), "{case}");
                    }
                    let failures = tx.tally(&counted.rows)?.failures;
                    now += passed;
                    let wait = failures.wait(origin, now);
                    let one_more = counted.count(tx, now)?.is_some();
                    let left = forgiven.forgive(tx, now)?;
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
                let mut from = counter(origin, "all");
                from.rows.own = counter(origin, &n.to_string()).rows.own;
                now += [0, 0, 0, 1, 7, 0, 53, -3, 0, 0][usize::try_from(n % 10).unwrap()];
                let wait = model.wait(origin, now);
                assert_eq!(tx.tally(&from.rows)?.budget, model);
                assert_eq!(from.forgive(tx, now)?, wait, "{n}");
                let counted = from.count(tx, now)?.is_some();
                assert_eq!(counted, wait == 0, "{origin:?} {n}: {wait}");
                if counted {
                    model.full_at = model.full_at.max(now) + origin.every();
                } else {
                    refused += 1;
                }
            }
            assert!((1..999).contains(&refused), "{refused}");
            // A budget that a wrong clock spent long ahead of time shuts nobody out.
            let mut from = counter(origin, "all");
            from.rows.own = counter(origin, "from a wrong clock").rows.own;
            from.count(tx, now + 1_000_000)?;
            from.rows.own = counter(origin, "from a right one").rows.own;
            assert!(from.count(tx, now)?.is_some());
            assert_eq!(tx.tally(&from.rows)?.budget.full_at, now + origin.every());
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
            counter(Origin::Network, &n.to_string()).count(tx, at)?;
        }
        let before = LONG_AGO + 50_000;
        assert_eq!(tx.delete_old_login_failures(before, 20)?, 40);
        assert_eq!(tx.delete_old_login_failures(before, 20)?, 10);
        assert_eq!(tx.delete_old_login_failures(before, 20)?, 0);
        Ok(())
    })
    .await;
}
