//! HTTPS: certificate and key from the settings, TLS 1.2 and up.
//!
//! The files are looked at again and again, like key files, since certificates live for weeks. A service
//! behind a proxy does not need any of it.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

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

/// A client's configuration that takes any certificate: to ask a service on this machine how it is.
///
/// # Errors
/// Never in practice: if the provider knew no protocol version.
pub(crate) fn any_certificate() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any(provider)))
        .with_no_client_auth();
    Ok(config)
}

/// Takes any certificate, and still sees to it that the other side has its key.
#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
