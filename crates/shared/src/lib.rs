//! Keyturn for your own services.
#[cfg(feature = "actix")]
pub mod bearer;
pub mod claims;
pub mod clock;
mod files;
#[cfg(feature = "actix")]
pub mod http;
mod json;
mod jws;
pub mod key_file;
pub mod keys;
#[cfg(feature = "settings")]
mod log_lines;
#[cfg(feature = "actix")]
pub mod metrics;
#[cfg(any(feature = "actix", feature = "settings"))]
mod origins;
#[cfg(feature = "actix")]
pub mod problem;
mod provider;
#[cfg(all(feature = "actix", feature = "settings"))]
pub mod service;
#[cfg(feature = "settings")]
pub mod settings;
#[cfg(feature = "settings")]
pub mod tls;
pub mod token;
