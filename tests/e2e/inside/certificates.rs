//! Certificates that change while the services run, SIGHUP, and what `doctor` says of a bad one.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::{App, Cli, Running, open, program, signal};
use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd, generate_simple_self_signed};
use rustls::pki_types::CertificateDer;
use tokio::task::spawn_blocking;

/// Certificate and key in two files of a folder.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        shared::key_file::write_atomically(&path, text.as_bytes(), 0o600).unwrap();
    }

    /// A new pair, one file after the other.
    fn renew(&self) -> CertificateDer<'static> {
        let made = generate_simple_self_signed(["localhost".to_owned()]);
        let CertifiedKey { cert, signing_key } = made.unwrap();
        self.write("cert.pem", &cert.pem());
        self.write("key.pem", &signing_key.serialize_pem());
        cert.der().clone()
    }

    fn arguments(&self) -> [String; 2] {
        let path = |name| self.path(name).display().to_string();
        [
            format!("--tls-cert-file={}", path("cert.pem")),
            format!("--tls-key-file={}", path("key.pem")),
        ]
    }
}

/// Both programs on an app's files.
async fn programs(app: &App, more: &[String]) -> [Running; 2] {
    let mut auth = Cli::new(app.folder(), app.database().url())
        .arguments()
        .to_vec();
    let ring = app.folder().join("jwt-keys.json").display().to_string();
    let mut resource = vec![format!("--jwt-keys-file={ring}")];
    for arguments in [&mut auth, &mut resource] {
        arguments.push("--listen=127.0.0.1:0".to_owned());
        arguments.extend_from_slice(more);
    }
    let start = move || {
        [("auth-server", auth), ("resource-api", resource)]
            .map(|(name, arguments)| Running::start(name, &arguments))
    };
    spawn_blocking(start).await.unwrap()
}

/// Whether a service speaks with this certificate; it is the only one that is trusted here.
async fn shows(url: &str, certificate: &CertificateDer<'static>) -> bool {
    super::tls::greet(certificate, open(url).await)
        .await
        .is_ok()
}

async fn shows_soon(url: &str, certificate: &CertificateDer<'static>) {
    let began = Instant::now();
    while !shows(url, certificate).await {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{url} keeps the old one"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_used_without_a_restart_and_a_broken_one_is_not() {
    let files = Files::new();
    let first = files.renew();
    let app = App::start().await;
    let services = programs(&app, &files.arguments()).await;
    for service in &services {
        assert!(shows(&service.url, &first).await);
    }
    let second = files.renew();
    for service in &services {
        shows_soon(&service.url, &second).await;
    }
    for (name, broken) in [
        ("cert.pem", "-----BEGIN CERTIFICATE-----\nhalf of"),
        ("cert.pem", ""),
        ("key.pem", "no key"),
    ] {
        files.write(name, broken);
    }
    // Long enough for several looks: nothing must come of it but one line.
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    for service in &services {
        assert!(shows(&service.url, &second).await);
        signal(service.id(), "HUP");
    }
    let third = files.renew();
    for service in &services {
        shows_soon(&service.url, &third).await;
    }
    for service in services {
        let log = service.kill();
        let broken = log.matches("the old certificate stays in use").count();
        assert_eq!(broken, 1, "{log}");
        assert!(log.contains("TLS_"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_ends_nothing() {
    let files = Files::new();
    let certificate = files.renew();
    let app = App::start().await;
    let tls = files.arguments();
    for more in [&tls[..], &[]] {
        for service in programs(&app, more).await {
            for _ in 0..5 {
                signal(service.id(), "HUP");
            }
            if more.is_empty() {
                let url = format!("{}/healthz", service.url);
                assert_eq!(app.client.get(url).send().await.unwrap().status(), 200);
            } else {
                assert!(shows(&service.url, &certificate).await);
            }
            signal(service.id(), "TERM");
            let ended = spawn_blocking(move || service.wait()).await.unwrap();
            assert!(ended.success(), "{ended:?}");
        }
    }
}

/// Both services take their port later than they hear signals; here the wait lasts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_does_not_end_a_start_that_waits_for_the_database() {
    let app = App::start().await;
    // A server that takes connections and ends them at once.
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    let url = format!("postgres://keyturn@127.0.0.1:{port}/keyturn");
    let mut child = Command::new(program("auth-server"))
        .env_clear()
        .args(Cli::new(app.folder(), &url).arguments())
        .arg("--listen=127.0.0.1:0")
        .spawn()
        .unwrap();
    for _ in 0..3 {
        let came = tokio::time::timeout(Duration::from_secs(30), server.accept()).await;
        let Ok(came) = came else {
            panic!("it no longer asks: {:?}", child.try_wait());
        };
        // Before the connection ends, so that it is still waiting.
        signal(child.id(), "HUP");
        drop(came);
    }
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What `doctor` finds wrong, of services under `certificate` at `host`.
async fn doctor(app: &App, services: &[Running; 2], files: &Files, host: &str) -> String {
    let at = |service: &Running| {
        let (_, port) = service.url.rsplit_once(':').unwrap();
        format!("https://{host}:{port}")
    };
    let mut arguments = Cli::new(app.folder(), app.database().url())
        .arguments()
        .to_vec();
    arguments.extend([
        "doctor".to_owned(),
        format!("--auth-url={}", at(&services[0])),
        format!("--resource-url={}", at(&services[1])),
    ]);
    arguments.extend(files.arguments());
    let trusted: &Path = &files.path("cert.pem");
    let mut command = Command::new(program("auth-server"));
    command
        .env_clear()
        .env("SSL_CERT_FILE", trusted)
        .args(arguments);
    let done = spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    String::from_utf8(done.stdout).unwrap()
}

/// What the certificate is made like.
type Make = fn(&mut CertificateParams);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_names_the_fault_of_a_certificate() {
    let cases: [(Make, &str, Option<&str>); 4] = [
        (|_| {}, "localhost", None),
        (
            |it| it.not_after = date_time_ymd(2020, 1, 2),
            "localhost",
            Some("has expired, on 2020-01-02"),
        ),
        (
            |it| it.not_before = date_time_ymd(2090, 1, 2),
            "localhost",
            Some("is not valid before 2090-01-02"),
        ),
        (|_| {}, "127.0.0.1", Some("is not for 127.0.0.1, but for")),
    ];
    for (make, host, fault) in cases {
        let files = Files::new();
        let mut certificate = CertificateParams::new(["localhost".to_owned()]).unwrap();
        make(&mut certificate);
        let key = KeyPair::generate().unwrap();
        files.write("cert.pem", &certificate.self_signed(&key).unwrap().pem());
        files.write("key.pem", &key.serialize_pem());
        let app = App::start().await;
        let services = programs(&app, &files.arguments()).await;
        let said = doctor(&app, &services, &files, host).await;
        if let Some(fault) = fault {
            // The file here, and what both services show.
            assert_eq!(said.matches(fault).count(), 3, "{said}");
            assert!(said.contains("FAULT TLS_CERT_FILE: "), "{said}");
        } else {
            let fine = "certificate of TLS_CERT_FILE is valid for localhost";
            assert!(said.contains(fine), "{said}");
            assert!(!said.contains("cannot be trusted"), "{said}");
        }
    }
    // A key that is another certificate's.
    let files = Files::new();
    let app = App::start().await;
    files.renew();
    let services = programs(&app, &files.arguments()).await;
    files.write("key.pem", &KeyPair::generate().unwrap().serialize_pem());
    let said = doctor(&app, &services, &files, &Ipv4Addr::LOCALHOST.to_string()).await;
    assert!(said.contains("cannot be used together"), "{said}");
}
