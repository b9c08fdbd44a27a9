//! The `auth-server` program: serves, or runs one of the operator's commands.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use auth_server::cli::{Cli, CommandError, complain};
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    chassis::process::keep_memory_private();
    match Cli::parse().run().await {
        Ok(()) | Err(CommandError::Unheard) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}
