//! What the processes of both Keyturn services share, around their routes.

pub mod client_address;
pub mod connection_limits;
pub mod http;
mod log_limit;
mod log_lines;
pub mod metrics;
pub mod operations;
mod origins;
pub mod process;
pub mod service;
pub mod settings;
pub mod tls;
