//! Certificates from files.

use std::fs;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use super::*;
use crate::origins::CorsOrigins;

struct Files {
    folder: TempDir,
}

impl Files {
    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.folder.path().join(name);
        crate::key_file::write_atomically(&path, text.as_bytes(), mode).unwrap();
        path
    }
}

fn judge(cert: Option<PathBuf>, key: Option<PathBuf>) -> Result<bool, String> {
    let settings = HttpSettings {
        cors_allowed_origins: CorsOrigins::Any,
        tls_cert_file: cert,
        tls_key_file: key,
        trusted_proxies: crate::client_address::TrustedProxies::default(),
        connection_limits: crate::connection_limits::ConnectionLimits::default(),
    };
    server_config(&settings)
        .map(|config| config.is_some())
        .map_err(|error| error.to_string())
}

#[test]
fn certificate_and_key_belong_together() {
    let files = Files {
        folder: tempfile::tempdir().unwrap(),
    };
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".into()]).unwrap();
    let other = generate_simple_self_signed(["localhost".into()]).unwrap();
    let cert = Some(files.write("cert.pem", &cert.pem(), 0o644));
    let key = Some(files.write("key.pem", &signing_key.serialize_pem(), 0o600));
    let other = Some(files.write("other.pem", &other.signing_key.serialize_pem(), 0o600));

    assert_eq!(judge(None, None), Ok(false));
    assert_eq!(judge(cert.clone(), key.clone()), Ok(true));
    let refused = |cert: &Option<PathBuf>, key: &Option<PathBuf>, text: &str| {
        let error = judge(cert.clone(), key.clone()).unwrap_err();
        assert!(error.contains(text), "{error}");
    };
    refused(&cert, &None, "TLS_KEY_FILE");
    refused(&None, &key, "TLS_CERT_FILE");
    refused(&cert, &other, "cannot be used together");
    refused(&cert, &cert, "TLS_KEY_FILE");
    refused(&key, &key, "TLS_CERT_FILE");
    refused(
        &Some(files.folder.path().join("none")),
        &key,
        "TLS_CERT_FILE",
    );
    refused(
        &cert,
        &Some(files.folder.path().join("none")),
        "TLS_KEY_FILE",
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(key.as_ref().unwrap(), fs::Permissions::from_mode(0o644)).unwrap();
        refused(&cert, &key, "0644");
    }
}
