//! HTTPS: certificate and key from the settings, TLS 1.2 and up.
//!
//! The files are looked at again and again, like key files, since certificates live for weeks. A service
//! behind a proxy does not need any of it.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem;

mod fault;
mod files;

pub use fault::{fault_of, in_words};
pub use files::{Look, TlsFiles};

use crate::settings::HttpSettings;
use shared::files::exposure::Exposure;

/// Why HTTPS cannot be spoken; every text names the setting.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Only one of the two files is set.
    #[error("TLS_CERT_FILE and TLS_KEY_FILE belong together: set both or neither")]
    Half,
    /// A file cannot be read or is not PEM.
    #[error("{setting}: {}: {source}", path.display())]
    Read {
        /// The variable that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The certificate file holds no certificate.
    #[error("TLS_CERT_FILE: {}: holds no certificate (-----BEGIN CERTIFICATE-----)", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// Others could read or change the key file.
    #[error("TLS_KEY_FILE: {}: {fault}", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Who could, and what to do about it.
        fault: Exposure,
    },
    /// Certificate and key do not fit each other, or are of a kind that cannot be used.
    #[error("TLS_CERT_FILE and TLS_KEY_FILE cannot be used together: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The certificate that the settings name; `None` without them.
///
/// # Errors
/// If only one of the files is set, or they cannot be read or used.
pub fn open(settings: &HttpSettings) -> Result<Option<Arc<TlsFiles>>, TlsError> {
    match (&settings.tls_cert_file, &settings.tls_key_file) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => TlsFiles::open(cert, key).map(Some),
        _ => Err(TlsError::Half),
    }
}

#[cfg(test)]
mod tests;
