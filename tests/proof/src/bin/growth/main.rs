//! `growth`: a database does not grow by refreshes, and a large one does not slow them.
//!
//! `turning` refreshes a million times and looks at rows and bytes before and after. `filled` measures a refresh
//! among 10 000 sessions and among 5 000 000, in turn within one run, of sessions that lie anywhere in the table.
//! Exit code 1 if rows came or went, the size left its slack, or the ratio its goal.

mod filled;
mod turning;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use proof::Fault;
use proof::database::{Database, Updates};
use proof::load::Turning;
use proof::machine;
use proof::pair::Pair;
use proof::processes::{Programs, Service, free_address, told_to_stop};
use proof::stage::Account;
use tokio::time::{Instant, sleep};

/// Measures what refreshes leave in the database, and what many sessions cost a refresh. Linux only.
#[derive(Parser)]
struct Options {
    /// What to do; both if nothing is said.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Refreshes of `turning`.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1000..))]
    refreshes: u32,
    /// Sessions of the small database of `filled`.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..))]
    few: u32,
    /// Sessions of the large one.
    #[arg(long, default_value_t = 5_000_000, value_parser = clap::value_parser!(u32).range(100..))]
    many: u32,
    /// Refreshes in a block.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..))]
    requests: u32,
    /// Blocks of each database, in turn; the median counts.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    blocks: u32,
    /// `sqlite` for fresh files, or the postgres:// URL of a server on which databases may be made.
    #[arg(long, default_value = "sqlite")]
    database: String,
    /// PostgreSQL: how full the pages of the sessions are filled, in per cent, instead of what the migrations say.
    #[arg(long, value_parser = clap::value_parser!(u32).range(10..=100))]
    fillfactor: Option<u32>,
    /// Next to nothing of everything, to see that it works; the figures mean nothing.
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Rows and bytes before and after many refreshes.
    Turning,
    /// A refresh among few sessions and among many.
    Filled,
}

/// Connections at a time.
const CONNECTIONS: usize = 8;
/// Sessions that `turning` refreshes, and of real log-ins among the filled ones.
const LOG_INS: usize = 200;
#[tokio::main]
async fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.quick {
        options.refreshes = 1000;
        (options.few, options.many) = (500, 5000);
        (options.requests, options.blocks) = (100, 1);
    }
    let measured = tokio::select! {
        measured = measure(&options) => measured,
        () = told_to_stop() => Err("stopped before its time".into()),
    };
    match measured {
        Ok(good) if good || options.quick => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("growth: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &Options) -> Result<bool, Fault> {
    let kind = options.database.split(':').next().unwrap_or_default();
    println!("growth: {kind}, on {}", machine::line());
    let data = tempfile::tempdir()?;
    let wanted = |part| options.parts.is_empty() || options.parts.contains(&part);
    let mut good = true;
    if wanted(Part::Turning) {
        good &= turning::turning(options, data.path()).await?;
    }
    if wanted(Part::Filled) {
        good &= filled::filled(options, data.path()).await?;
    }
    Ok(good)
}

/// A database with a server of its own.
struct Place {
    auth: Service,
    database: Database,
    data: PathBuf,
    /// Of real log-ins.
    pairs: Vec<Pair>,
    /// How long the server may take to say what it did.
    patience: Duration,
}

impl Place {
    async fn make(options: &Options, data: &Path, name: &str) -> Result<Self, Fault> {
        let data = data.join(name);
        std::fs::create_dir(&data)?;
        let database = Database::make(&options.database, &data, name)?;
        let lives = [
            ("ACCESS_TOKEN_TTL", "2h"),
            ("MAX_SESSIONS_PER_USER", "1000"),
        ];
        let programs = Programs::find(&data, &database.url, &lives).await?;
        let auth = programs.auth_server(free_address()?).await?;
        if let (true, Some(percent)) = (database.is_postgres(), options.fillfactor) {
            database.execute(&format!(
                "ALTER TABLE sessions SET (fillfactor = {percent})"
            ))?;
        }
        let mut pairs = Vec::new();
        let count = if options.quick { 8 } else { LOG_INS };
        let mut account = Account::register(auth.addr).await?;
        for n in 1..=count {
            if n % 8 == 0 {
                account = Account::register(auth.addr).await?;
            }
            pairs.push(account.log_in(auth.addr).await?);
        }
        Ok(Self {
            auth,
            database,
            data,
            pairs,
            patience: Duration::from_secs(if options.quick { 1 } else { 15 }),
        })
    }

    /// What PostgreSQL says of its updates, once it says so of all; a server that rests does within ten seconds.
    async fn updates(&self, at_least: usize) -> Result<Option<Updates>, Fault> {
        let at_least = i64::try_from(at_least)?;
        let until = Instant::now() + self.patience;
        loop {
            let updates = self.database.updates()?;
            if updates.is_none_or(|it| it.updated >= at_least) || Instant::now() > until {
                return Ok(updates);
            }
            sleep(Duration::from_millis(250)).await;
        }
    }
}

/// Says so if the service was not always there for a refresh: its times are longer for it.
fn tell_of_repeats(sessions: &Turning) {
    if sessions.repeated > 0 {
        println!("{} refreshes were answered 503 at first", sessions.repeated);
    }
}
