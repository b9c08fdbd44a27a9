//! resource-api: the API that Keyturn's access tokens open.
//!
//! It validates tokens locally and follows the revocation feed; a request asks nobody. It issues no
//! access token and knows no database. Production and tests start the same [`Server`]; a port of 0
//! takes a free one.

// They panic when the reader has gone.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod error;
mod metrics;
pub mod revocations;
mod routes;
pub mod server;
pub mod settings;
mod verify;

pub use error::StartError;
pub use server::Server;
pub use settings::Settings;
