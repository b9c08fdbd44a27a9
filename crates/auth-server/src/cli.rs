//! The command line: serving, and what operators do beside it.
//!
//! Commands work on the database and the key files directly, so they need no running service; a running
//! one sees what they did within a second.

mod backup;
mod clients;
mod copy;
mod doctor;
mod input;
mod keys;
mod output;
mod sessions;
mod table;
mod users;

use std::fmt;
use std::time::Duration;

use clap::{Parser, Subcommand};
use shared::clock;

pub use self::output::complain;
use self::output::say;
use crate::db::{Db, DbError};
use crate::operations::clock_check;
use crate::server::Server;
use crate::settings::{DatabaseUrl, Settings};

/// Keyturn's token service: serves without a command.
#[derive(Parser)]
#[command(name = "auth-server", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    settings: Settings,
}

#[derive(Subcommand)]
enum Command {
    /// Bring the database's tables up to date, and stop (serving does it, too).
    Migrate,
    /// The key ring and the keys of refresh tokens.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Accounts.
    #[command(subcommand)]
    User(users::Command),
    /// The programs that sign their users in here (`OAUTH`).
    #[command(subcommand)]
    Client(clients::Command),
    /// Sessions.
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// Write the live SQLite database into a new file, beside the running service.
    Backup(backup::Backup),
    /// Copy everything from one database into another, empty one: onto PostgreSQL, or back.
    Copy(copy::Copy),
    /// Compare both services, clocks, database and files, and say what to mend.
    Doctor(doctor::Doctor),
    /// Ask the running service on `AUTH_LISTEN` whether it lives; exit code 0 if so.
    Healthcheck,
}

/// Why a command did not end as usual.
#[derive(Debug)]
pub enum CommandError {
    /// It failed; one line for the operator.
    Failed(String),
    /// It did what it should, and whoever read its output has gone.
    Unheard,
}

impl CommandError {
    pub(crate) fn of(error: impl std::error::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => f.write_str(why),
            Self::Unheard => f.write_str("nobody reads the output"),
        }
    }
}

impl<E: std::error::Error> From<E> for CommandError {
    fn from(error: E) -> Self {
        Self::of(error)
    }
}

impl Cli {
    /// Runs the command, or serves until told to stop.
    ///
    /// # Errors
    /// One line for the operator.
    pub async fn run(self) -> Result<(), CommandError> {
        let Self { command, settings } = self;
        match command {
            None => serve(settings).await,
            Some(Command::Migrate) => {
                open(&settings).await?;
                let url = &settings.store.database_url;
                say(format_args!("the tables of {url:?} are up to date"))
            }
            Some(Command::Keys(command)) => command.run(&settings).await,
            Some(Command::User(command)) => command.run(&settings).await,
            Some(Command::Client(command)) => command.run(&settings).await,
            Some(Command::Sessions(command)) => command.run(&settings).await,
            Some(Command::Backup(backup)) => backup.run(&settings).await,
            Some(Command::Copy(copy)) => copy.run().await,
            Some(Command::Doctor(doctor)) => doctor.run(&settings).await,
            Some(Command::Healthcheck) => chassis::service::healthcheck(
                settings.listen,
                settings.http.tls_cert_file.is_some(),
            )
            .await
            .map_err(CommandError::Failed),
        }
    }
}

async fn serve(settings: Settings) -> Result<(), CommandError> {
    chassis::settings::init_log(&settings.log);
    let server = Server::bind(settings).await?;
    log::info!("auth-server listens on {}", server.addr());
    server.run(chassis::service::stop_signal()).await?;
    log::info!("stopped");
    log::logger().flush();
    Ok(())
}

pub(crate) async fn open(settings: &Settings) -> Result<Db, CommandError> {
    let opened = open_database(settings).await;
    let db = opened.map_err(|e| CommandError::Failed(format!("DATABASE_URL: {e}")))?;
    // What else a database that does not answer means, the command itself says.
    if let Ok(ahead) = clock_check::ahead(&db, clock::now).await
        && let Some(said) = clock_check::warning_of(ahead)
    {
        complain(said);
    }
    Ok(db)
}

/// The same, but a SQLite file that is not there stays so: for commands that do without a database, which may
/// have been given none.
async fn open_existing(settings: &Settings) -> Result<Db, CommandError> {
    if let DatabaseUrl::Sqlite(path) = &settings.store.database_url
        && !path.exists()
    {
        let said = format!("DATABASE_URL: {} does not exist", path.display());
        return Err(CommandError::Failed(said));
    }
    open(settings).await
}

async fn open_database(settings: &Settings) -> Result<Db, DbError> {
    let url = settings.store.database_url.clone();
    tokio::task::spawn_blocking(move || Db::open(&url, Duration::ZERO))
        .await
        .unwrap_or_else(|panicked| Err(DbError::Unavailable(panicked.to_string())))
}

/// A time as operators read it.
fn time(seconds: i64) -> String {
    let time = chrono::DateTime::from_timestamp(seconds, 0);
    time.map_or_else(
        || seconds.to_string(),
        |time| time.format("%F %T UTC").to_string(),
    )
}
