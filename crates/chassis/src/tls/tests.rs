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
        shared::key_file::write_atomically(&path, text.as_bytes(), mode).unwrap();
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
    open(&settings)
        .map(|files| files.is_some())
        .map_err(|error| error.to_string())
}

/// A pair of files, and a way to write another one.
fn pair(files: &Files) -> (PathBuf, PathBuf) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".into()]).unwrap();
    let cert = files.write("cert.pem", &cert.pem(), 0o644);
    let key = files.write("key.pem", &signing_key.serialize_pem(), 0o600);
    (cert, key)
}

#[test]
fn new_files_are_taken_when_both_are_there_and_broken_ones_leave_the_old() {
    let files = Files {
        folder: tempfile::tempdir().unwrap(),
    };
    let (cert, key) = pair(&files);
    let tls = TlsFiles::open(&cert, &key).unwrap();
    let first = tls.chain();
    assert!(matches!(tls.reload_if_changed(), Look::Unchanged));

    // A renewal that is looked at between its two files is no fault.
    let renewed = generate_simple_self_signed(["localhost".into()]).unwrap();
    files.write("cert.pem", &renewed.cert.pem(), 0o644);
    assert!(matches!(tls.reload_if_changed(), Look::Unfinished));
    assert_eq!(tls.chain(), first);
    files.write("key.pem", &renewed.signing_key.serialize_pem(), 0o600);
    assert!(matches!(tls.reload_if_changed(), Look::Reloaded));
    let second = tls.chain();
    assert_eq!(second, [renewed.cert.der().clone()]);

    for broken in ["", "rubbish", "-----BEGIN PRIVATE KEY-----\n"] {
        files.write("key.pem", broken, 0o600);
        assert!(matches!(tls.reload_if_changed(), Look::Unfinished));
        for _ in 0..3 {
            let look = tls.reload_if_changed();
            assert!(
                matches!(&look, Look::Broken(TlsError::Read { setting, .. }) if *setting == "TLS_KEY_FILE"),
                "{look:?}"
            );
        }
    }
    fs::remove_file(&key).unwrap();
    assert!(matches!(tls.reload_if_changed(), Look::Unfinished));
    assert!(matches!(tls.reload_if_changed(), Look::Broken(_)));
    assert_eq!(tls.chain(), second);
    pair(&files);
    assert!(matches!(tls.reload_if_changed(), Look::Reloaded));
    assert!(matches!(tls.reload_if_changed(), Look::Unchanged));
    assert_ne!(tls.chain(), second);
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_certificate_or_key_does_not_end_the_looking() {
    for name in ["cert.pem", "key.pem"] {
        let files = Files {
            folder: tempfile::tempdir().unwrap(),
        };
        let (cert, key) = pair(&files);
        let tls = TlsFiles::open(&cert, &key).unwrap();
        let first = tls.chain();
        let path = files.folder.path().join(name);
        fs::remove_file(&path).unwrap();
        let mut made = std::process::Command::new("mkfifo");
        assert!(
            made.args(["-m", "600"])
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        let (tell, told) = std::sync::mpsc::channel();
        let looking = Arc::clone(&tls);
        std::thread::spawn(move || {
            looking.reload_if_changed();
            tell.send(looking.reload_if_changed())
        });
        let told = told.recv_timeout(std::time::Duration::from_secs(20));
        let look = told.expect("nobody waits for a writer");
        assert!(matches!(&look, Look::Broken(error) if error.to_string().contains("no file")));
        assert_eq!(tls.chain(), first);
        pair(&files);
        assert!(matches!(tls.reload_if_changed(), Look::Reloaded));
    }
}

#[test]
fn the_fault_of_a_certificate_is_said_in_words() {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    let key = KeyPair::generate().unwrap();
    let names = ["login.example.com".to_owned(), "127.0.0.1".to_owned()];
    let mut made = CertificateParams::new(names).unwrap();
    made.not_before = date_time_ymd(2030, 1, 2);
    made.not_after = date_time_ymd(2031, 1, 2);
    let chain = [made.self_signed(&key).unwrap().der().clone()];
    let day = |year: i64| (year - 1970) * 31_556_952;
    let judge = |host, year| fault_of(&chain, host, day(year) + 90 * 86_400).unwrap_or_default();
    assert_eq!(judge("login.example.com", 2030), "");
    assert_eq!(judge("127.0.0.1", 2030), "");
    for (host, year, words) in [
        ("login.example.com", 2029, "not valid before 2030-01-02"),
        ("login.example.com", 2031, "expired, on 2031-01-02"),
        ("api.example.com", 2030, "not for api.example.com, but for"),
        ("127.0.0.2", 2030, "not for 127.0.0.2"),
        ("", 2030, "another host"),
    ] {
        let said = judge(host, year);
        assert!(said.contains(words), "{host} {year}: {said}");
    }
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
