//! The files of certificate and key, and what they held when they were last good.
//!
//! Renewal replaces two files one after the other: a pair that does not fit gets a second look before it is
//! called broken.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::TlsError;
use shared::files::{exposure, open_regular};
use shared::key_file::Version;

/// What a look at the files brought.
#[derive(Debug)]
pub enum Look {
    /// They are what is in use.
    Unchanged,
    /// There is a new certificate.
    Reloaded,
    /// There are new files that cannot be used together; perhaps the second one is still being written.
    Unfinished,
    /// They still cannot be used; the old certificate stays. Logged at the first such look.
    Broken(TlsError),
}

/// The two files as they are told from others; `None`: not there.
type Versions = [Option<Version>; 2];

/// What is known of the files.
#[derive(Debug)]
struct Seen {
    in_use: Versions,
    /// Those that could not be used, and whether that was said.
    refused: Option<(Versions, bool)>,
}

/// Certificate and key of a service: read from their files, and again whenever those change.
pub struct TlsFiles {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
    seen: Mutex<Seen>,
}

impl fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cert, key, .. } = self;
        f.debug_struct("TlsFiles")
            .field("cert", cert)
            .field("key", key)
            .finish_non_exhaustive()
    }
}

impl TlsFiles {
    /// Reads them for the first time.
    pub(super) fn open(cert: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        // Before they are read: what changes meanwhile is seen at the next look.
        let in_use = versions(cert, key);
        Ok(Arc::new(Self {
            current: RwLock::new(read(cert, key)?),
            cert: cert.to_owned(),
            key: key.to_owned(),
            seen: Mutex::new(Seen {
                in_use,
                refused: None,
            }),
        }))
    }

    /// How a service speaks TLS with whatever certificate is the current one. HTTP/1.1 is all that is spoken
    /// inside.
    ///
    /// # Errors
    /// Never in practice: if the provider knew no protocol version.
    pub fn config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// The certificate in use and its chain.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.current().cert.clone()
    }

    /// Looks at the files, and reads them if they are others than last time. What is wrong with new ones is
    /// logged here, once.
    pub fn reload_if_changed(&self) -> Look {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let current = versions(&self.cert, &self.key);
        if seen.in_use == current {
            seen.refused = None;
            return Look::Unchanged;
        }
        let error = match read(&self.cert, &self.key) {
            Ok(certified) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = certified;
                *seen = Seen {
                    in_use: current,
                    refused: None,
                };
                log::info!("{}: reloaded", self.cert.display());
                return Look::Reloaded;
            }
            Err(error) => error,
        };
        match &mut seen.refused {
            Some((versions, said)) if *versions == current => {
                if !*said {
                    log::error!(
                        "the old certificate stays in use, since the new files are no good: {error}"
                    );
                }
                *said = true;
                Look::Broken(error)
            }
            refused => {
                *refused = Some((current, false));
                Look::Unfinished
            }
        }
    }

    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for TlsFiles {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn versions(cert: &Path, key: &Path) -> Versions {
    let version = |path: &Path| Some(Version::of(path, &std::fs::metadata(path).ok()?));
    [version(cert), version(key)]
}

fn read(cert: &Path, key: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let (chain, key) = (read_chain(cert)?, read_key(key)?);
    let certified = CertifiedKey::from_der(chain, key, &ring::default_provider())?;
    Ok(Arc::new(certified))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::Read {
        setting: "TLS_CERT_FILE",
        path: path.to_owned(),
        source,
    };
    let (file, _) = open_regular(path).map_err(|error| failed(pem::Error::Io(error)))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_reader_iter(file).collect();
    let chain = chain.map_err(failed)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate {
            path: path.to_owned(),
        });
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let failed = |source| TlsError::Read {
        setting: "TLS_KEY_FILE",
        path: path.to_owned(),
        source,
    };
    let io = |error| failed(pem::Error::Io(error));
    let (file, metadata) = open_regular(path).map_err(io)?;
    if let Some(fault) = exposure::of_file(path, &metadata).map_err(io)? {
        let path = path.to_owned();
        return Err(TlsError::Exposed { path, fault });
    }
    PrivateKeyDer::from_pem_reader(file).map_err(failed)
}
