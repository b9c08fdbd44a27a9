//! The command line: serving, and what operators do beside it.
//!
//! Commands work on the database and the key files directly, so they need no running service; a running
//! one sees what they did within a second.

mod backup;
mod copy;
mod doctor;
mod keys;
mod sessions;
mod users;

use std::fmt;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::db::Db;
use crate::server::Server;
use crate::settings::Settings;

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

/// What an operator reads when a command fails: one line.
#[derive(Debug)]
pub struct CommandError(String);

impl CommandError {
    pub(crate) fn of(error: impl std::error::Error) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
                println!(
                    "the tables of {:?} are up to date",
                    settings.store.database_url
                );
                Ok(())
            }
            Some(Command::Keys(command)) => command.run(&settings).await,
            Some(Command::User(command)) => command.run(&settings).await,
            Some(Command::Sessions(command)) => command.run(&settings).await,
            Some(Command::Backup(backup)) => backup.run(&settings).await,
            Some(Command::Copy(copy)) => copy.run().await,
            Some(Command::Doctor(doctor)) => doctor.run(&settings).await,
            Some(Command::Healthcheck) => {
                shared::service::healthcheck(settings.listen, settings.http.tls_cert_file.is_some())
                    .await
                    .map_err(CommandError)
            }
        }
    }
}

async fn serve(settings: Settings) -> Result<(), CommandError> {
    shared::settings::init_log(&settings.log);
    let server = Server::bind(settings).await?;
    log::info!("auth-server listens on {}", server.addr());
    server.run(shared::service::stop_signal()).await?;
    log::info!("stopped");
    log::logger().flush();
    Ok(())
}

pub(crate) async fn open(settings: &Settings) -> Result<Db, CommandError> {
    let url = settings.store.database_url.clone();
    let opened = tokio::task::spawn_blocking(move || Db::open(&url, Duration::ZERO)).await?;
    opened.map_err(|e| CommandError(format!("DATABASE_URL: {e}")))
}

/// A time as operators read it.
fn time(seconds: i64) -> String {
    let time = chrono::DateTime::from_timestamp(seconds, 0);
    time.map_or_else(
        || seconds.to_string(),
        |time| time.format("%F %T UTC").to_string(),
    )
}
