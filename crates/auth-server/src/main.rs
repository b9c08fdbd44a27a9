//! The `auth-server` program: serves, or runs one of the operator's commands.

use std::process::ExitCode;

use auth_server::cli::Cli;
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("auth-server: {error}");
            ExitCode::FAILURE
        }
    }
}
