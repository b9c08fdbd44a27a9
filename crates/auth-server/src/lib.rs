//! auth-server: signs people in, and hands out access tokens and refresh tokens that turn over at every use.
//!
//! Data flows one way: the routes parse and reply, `accounts` and [`sessions`] decide, [`db`] keeps.
//! Production and tests start the same [`Server`]; a port of 0 takes a free one.

// They panic when the reader has gone.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod accounts;
mod back_channel;
pub mod cli;
pub mod clients;
pub mod db;
pub mod error;
mod feed;
pub mod key_files;
pub mod log_in;
pub mod mac_keys;
mod operations;
mod outbox;
mod routes;
pub mod server;
pub mod sessions;
pub mod settings;
pub mod sign_on;
mod spelling;
pub mod strength;

pub use server::{Server, StartError};
pub use settings::Settings;
