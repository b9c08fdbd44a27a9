//! Keyturn for your own services.
pub mod claims;
pub mod clock;
mod files;
mod json;
mod jws;
pub mod key_file;
pub mod keys;
mod provider;
pub mod token;
