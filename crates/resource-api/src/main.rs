//! The `resource-api` program: serves, or asks the one that serves how it is.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::io::Write;
use std::process::ExitCode;

use chassis::service;
use chassis::settings::init_log;
use clap::{Parser, Subcommand};
use resource_api::{Server, Settings};

/// The API that Keyturn's access tokens open: validates them locally and follows the revocation feed.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    settings: Settings,
}

#[derive(Subcommand)]
enum Command {
    /// Asks the service that listens on `RESOURCE_LISTEN` for `/healthz`; exit code 0 if it is well.
    Healthcheck,
}

#[tokio::main]
async fn main() -> ExitCode {
    chassis::process::keep_memory_private();
    let Cli { command, settings } = Cli::parse();
    let done = match command {
        None => serve(settings).await,
        Some(Command::Healthcheck) => {
            let tls = settings.http.tls_cert_file.is_some();
            service::healthcheck(settings.listen, tls).await
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error goes nowhere, there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "resource-api: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> Result<(), String> {
    init_log(&settings.log);
    let server = Server::bind(settings)
        .await
        .map_err(|error| error.to_string())?;
    log::info!("resource-api listens on {}", server.addr());
    server
        .run(service::stop_signal())
        .await
        .map_err(|error| error.to_string())?;
    log::info!("stopped");
    log::logger().flush();
    Ok(())
}
