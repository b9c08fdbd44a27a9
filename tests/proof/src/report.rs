//! What a run prints: a table, and the story of everything that must not be.

use std::path::PathBuf;
use std::time::Duration;

use auth_server::db::{AuditRow, Db};
use auth_server::settings::DatabaseUrl;
use uuid::Uuid;

use crate::Fault;
use crate::client::Story;
use crate::processes::Programs;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A table of two columns, filled line by line.
#[derive(Default)]
pub struct Table(Vec<(&'static str, u64)>);

impl Table {
    /// Adds a line.
    #[must_use]
    pub fn line(mut self, name: &'static str, number: u64) -> Self {
        self.0.push((name, number));
        self
    }

    /// Prints it.
    pub fn print(&self) {
        for (name, number) in &self.0 {
            println!("  {name:<46}{number:>9}");
        }
    }
}

/// The audit trail of the run's database.
pub struct Trail(Db);

impl Trail {
    /// Opens it.
    ///
    /// # Errors
    /// When the database does.
    pub async fn open(programs: &Programs) -> Result<Self, Fault> {
        let url = match programs.database.strip_prefix("sqlite://") {
            Some(path) => DatabaseUrl::Sqlite(PathBuf::from(path)),
            None => programs.database.parse()?,
        };
        Ok(Self(
            tokio::task::spawn_blocking(move || Db::open(&url, PATIENCE)).await??,
        ))
    }

    /// The records of a session, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn of(&self, session: Uuid) -> Result<Vec<AuditRow>, Fault> {
        Ok(self
            .0
            .read(move |tx| tx.audit_of_session(session.into()))
            .await?)
    }

    /// How many records of these sessions are of an event, with a detail if one is given.
    ///
    /// # Errors
    /// The database's.
    pub async fn count(
        &self,
        sessions: &[Uuid],
        event: &str,
        detail: Option<&str>,
    ) -> Result<u64, Fault> {
        let mut count = 0;
        for session in sessions {
            let records = self.of(*session).await?;
            let fits = |row: &&AuditRow| {
                row.event == event && (detail.is_none() || row.detail.as_deref() == detail)
            };
            count += records.iter().filter(fits).count() as u64;
        }
        Ok(count)
    }

    /// Prints what happened to a session: what its client saw, what the row says, what the trail says.
    ///
    /// # Errors
    /// The database's.
    pub async fn tell(&self, programs: &Programs, story: &Story) -> Result<(), Fault> {
        let Story {
            session,
            what,
            trace,
        } = story;
        println!("\nsession {session}: {what}");
        for line in trace {
            println!("  {line}");
        }
        let id = *session;
        if let Some(row) = self
            .0
            .read(move |tx| tx.find_session(id.into()))
            .await?
            .map(|found| found.session)
        {
            println!(
                "  row: generation {}, rotated at {}, late generation {}, streak {}, ended {:?}",
                row.generation, row.rotated_at, row.late_generation, row.late_streak, row.ended
            );
        }
        for AuditRow {
            at,
            event,
            generation,
            detail,
            request_id,
            ..
        } in self.of(id).await?
        {
            println!(
                "  audit: {at} {event} generation {generation:?} {detail:?} request {request_id:?}"
            );
        }
        match programs
            .run(&["sessions", "explain", &id.to_string()])
            .await
        {
            Ok(text) => text.lines().for_each(|line| println!("  explain: {line}")),
            Err(error) => println!("  explain: {error}"),
        }
        Ok(())
    }
}
