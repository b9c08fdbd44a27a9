//! Many refreshes of a few sessions: the same rows, the same bytes.

use std::path::Path;

use proof::Fault;
use proof::database::Extent;
use proof::load::Turning;
use tokio::time::Instant;

use crate::{CONNECTIONS, Options, Place, tell_of_repeats};

/// One of so many refreshes is made before the first look: logs and free space find their size.
const SETTLING: u32 = 50;
/// Bytes by which the database may differ, of SQLite: a page of free list.
const SLACK_SQLITE: i64 = 8 << 10;
/// Of SQLite's log: it begins anew when 1000 pages are in it, at the next moment in which nobody reads.
const LOG: i64 = 16 << 20;
/// Of PostgreSQL: old versions that wait for the next vacuum, pages that a table which must grow takes at once (20
/// per connection that waits), and what the server notes of itself.
const SLACK_POSTGRES: i64 = 4 << 20;

/// Whether rows and size are the same, the slack aside.
pub(crate) async fn turning(options: &Options, data: &Path) -> Result<bool, Fault> {
    let place = Place::make(options, data, "turning").await?;
    let mut sessions = Turning::new(place.pairs.clone(), CONNECTIONS);
    let settling = options.refreshes / SETTLING;
    let first = sessions.refresh(place.auth.addr, settling).await?.len();
    let settled = place.updates(first).await?;
    let before = place.database.extent()?;
    let begun = Instant::now();
    let times = sessions.refresh(place.auth.addr, options.refreshes).await?;
    let rate = f64::from(options.refreshes) / begun.elapsed().as_secs_f64();
    let updates = place.updates(first + times.len()).await?;
    let after = place.database.extent()?;
    println!(
        "\n{} refreshes of {} sessions, {CONNECTIONS} connections, {rate:.0} a second; before it {settling} more\n",
        options.refreshes,
        place.pairs.len()
    );
    tell_of_repeats(&sessions);
    println!("| | before | after |\n|---|--:|--:|");
    for ((table, before), (_, after)) in before.rows.iter().zip(&after.rows) {
        println!("| rows of `{table}` | {before} | {after} |");
    }
    println!(
        "| bytes of the database | {} | {} |",
        before.bytes, after.bytes
    );
    if let (Some(before), Some(after)) = (settled, updates) {
        println!(
            "| updates of `sessions` | {} | {} |",
            before.updated, after.updated
        );
        println!("| of them HOT | {} | {} |", before.hot, after.hot);
        println!("| dead rows | {} | {} |", before.dead, after.dead);
        println!(
            "| bytes of the table | {} | {} |",
            before.table, after.table
        );
        println!(
            "| bytes of its indexes | {} | {} |",
            before.indexes, after.indexes
        );
    } else {
        println!("| bytes of the log | {} | {} |", before.log, after.log);
    }
    Ok(unchanged(&before, &after, place.database.is_postgres()))
}

fn unchanged(before: &Extent, after: &Extent, postgres: bool) -> bool {
    let slack = if postgres {
        SLACK_POSTGRES
    } else {
        SLACK_SQLITE
    };
    let rows = before.rows == after.rows;
    let bytes = after.bytes - before.bytes;
    let size = bytes <= slack && after.log <= LOG;
    let judged = |good| if good { "kept" } else { "NOT kept" };
    println!("\nrows unchanged: {}", judged(rows));
    let log = if postgres {
        String::new()
    } else {
        format!(", log below {LOG}")
    };
    println!(
        "size within {slack} bytes{log}: {} ({bytes:+})",
        judged(size)
    );
    rows && size
}
