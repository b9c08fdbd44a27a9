//! A PostgreSQL server as it is measured: the CPU time of all its processes, and what `pgbench` gets out of it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Integer;
use tokio::process::Command;

use crate::Fault;
use crate::machine;

/// The server of a database, on this machine.
#[derive(Clone, Debug)]
pub struct Server {
    url: String,
    postmaster: u32,
    ticks: u64,
}

/// What `pgbench` measured.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Statements a second.
    pub rate: f64,
    /// Microseconds of CPU time of the server for each.
    pub cost: f64,
}

/// Rows that `pgbench` changes.
const ROWS: u32 = 10_000;

impl Server {
    /// Looks at the server behind a URL.
    ///
    /// # Errors
    /// When it does not answer, or is on another machine.
    pub fn of(url: &str) -> Result<Self, Fault> {
        #[derive(QueryableByName)]
        struct Backend {
            #[diesel(sql_type = Integer)]
            pid: i32,
        }
        let mut conn = PgConnection::establish(url)?;
        let backend: Backend =
            diesel::sql_query("SELECT pg_backend_pid() AS pid").get_result(&mut conn)?;
        let postmaster = machine::parent(u32::try_from(backend.pid)?)
            .map_err(|error| format!("PostgreSQL must be on this machine: {error}"))?;
        Ok(Self {
            url: url.to_owned(),
            postmaster,
            ticks: machine::ticks_per_second(),
        })
    }

    /// Nanoseconds of CPU that all its processes have used so far, those that have ended included.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu_nanoseconds(&self) -> Result<u64, Fault> {
        machine::family_cpu_ticks(self.postmaster)
            .map(|ticks| ticks * (1_000_000_000 / self.ticks.max(1)))
    }

    /// Adds sessions beside those that are there, copies of one of them under other ids, for a table of a size in use.
    ///
    /// # Errors
    /// The database's.
    pub fn add_sessions(&self) -> Result<(), Fault> {
        let mut conn = PgConnection::establish(&self.url)?;
        conn.batch_execute(&format!(
            "INSERT INTO sessions SELECT (jsonb_populate_record(one, jsonb_build_object( \
               'id', md5(n::text)::uuid::text))).* \
               FROM (SELECT sessions AS one FROM sessions LIMIT 1) AS template, generate_series(1, {ROWS}) AS n"
        ))?;
        conn.batch_execute("VACUUM ANALYZE sessions")?;
        Ok(())
    }

    /// Makes the table that [`Self::bench`] changes: rows as wide as sessions, found by the same kind of key.
    ///
    /// # Errors
    /// The database's.
    pub fn prepare_bench(&self) -> Result<(), Fault> {
        let mut conn = PgConnection::establish(&self.url)?;
        conn.batch_execute(&format!(
            "DROP TABLE IF EXISTS bare; \
             CREATE TABLE bare (id TEXT PRIMARY KEY, nonce TEXT NOT NULL, generation BIGINT NOT NULL, \
               rotated_at BIGINT NOT NULL, idle_until BIGINT NOT NULL, device TEXT NOT NULL); \
             INSERT INTO bare SELECT md5(n::text)::uuid::text, md5(n::text), 1, 0, 0, repeat('x', 120) \
               FROM generate_series(1, {ROWS}) AS n"
        ))?;
        // By itself: several statements at once are a transaction, in which it may not be.
        conn.batch_execute("VACUUM ANALYZE bare")?;
        Ok(())
    }

    /// The bare conditional UPDATE of a refresh, a row and a transaction each, prepared, from `pgbench`.
    ///
    /// # Errors
    /// When there is no `pgbench`, or it fails.
    pub async fn bench(&self, clients: u32, time: Duration) -> Result<Figures, Fault> {
        let script = tempfile::NamedTempFile::new()?;
        std::fs::write(
            script.path(),
            format!(
                "\\set n random(1, {ROWS})\n\
                 UPDATE bare SET generation = generation + 1, rotated_at = 1, idle_until = 2 \
                 WHERE id = md5((:n)::text)::uuid::text AND generation > 0 AND idle_until >= 0;\n"
            ),
        )?;
        let before = self.cpu_nanoseconds()?;
        let done = Command::new(pgbench()?)
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=1"])
            .arg(format!("--client={clients}"))
            .arg(format!("--time={}", time.as_secs().max(1)))
            .arg("--file")
            .arg(script.path())
            .arg(&self.url)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let used = self.cpu_nanoseconds()?.saturating_sub(before);
        let said = String::from_utf8_lossy(&done.stdout);
        let after = |words: &str| -> Option<f64> {
            let rest = said.lines().find_map(|line| line.strip_prefix(words))?;
            rest.split([' ', '/']).next()?.parse().ok()
        };
        let (Some(rate), Some(made)) = (
            after("tps = "),
            after("number of transactions actually processed: "),
        ) else {
            return Err(format!("pgbench: {}", String::from_utf8_lossy(&done.stderr)).into());
        };
        Ok(Figures {
            rate,
            cost: Duration::from_nanos(used).as_secs_f64() * 1e6 / made.max(1.0),
        })
    }
}

/// It comes with the server.
fn pgbench() -> Result<PathBuf, Fault> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| {
            versions
                .flatten()
                .map(|version| version.path().join("bin/pgbench"))
                .filter(|path| path.exists())
                .collect()
        })
        .unwrap_or_default();
    found.sort();
    found
        .pop()
        .or_else(|| {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path)
                .map(|folder| folder.join("pgbench"))
                .find(|path| path.exists())
        })
        .ok_or_else(|| "there is no pgbench".into())
}
