//! An authority, the certificates it made, and one that it did not make.

use std::fmt;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The names that lead to a sink.
const OURS: [&str; 3] = ["localhost", "127.0.0.1", "0.0.0.0"];

/// What a sink can show.
pub(crate) struct Certificates {
    /// In PEM.
    pub(crate) authority: String,
    pub(crate) right: Arc<ServerConfig>,
    pub(crate) other_name: Arc<ServerConfig>,
    pub(crate) other_authority: Arc<ServerConfig>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates")
    }
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let (authority, ours) = authority("authority of the sink");
        let (_, other) = self::authority("another authority");
        Self {
            authority,
            right: signed(&OURS, &ours),
            other_name: signed(&["other.example"], &ours),
            other_authority: signed(&OURS, &other),
        }
    }
}

fn authority(name: &str) -> (String, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).expect("a certificate").pem();
    (pem, Issuer::new(params, key))
}

fn signed(names: &[&str], issuer: &Issuer<'static, KeyPair>) -> Arc<ServerConfig> {
    let key = KeyPair::generate().expect("a key");
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let params = CertificateParams::new(names).expect("parameters");
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // The provider is named here, so that no process has to install one for the sink.
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a usable certificate");
    Arc::new(config)
}
