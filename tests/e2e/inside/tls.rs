//! HTTPS on both services: which versions are spoken, and the health check of a service that speaks it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use e2e::{Answer, App, Options, RawAnswer, open, program};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::tls::Version;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(super) struct Certificate {
    folder: tempfile::TempDir,
    root: reqwest::Certificate,
    der: CertificateDer<'static>,
}

impl Certificate {
    pub(super) fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            shared::key_file::write_atomically(&path, text.as_bytes(), 0o600).unwrap();
        };
        write("cert.pem", cert.pem());
        write("key.pem", signing_key.serialize_pem());
        let root = reqwest::Certificate::from_pem(cert.pem().as_bytes()).unwrap();
        Self {
            folder,
            root,
            der: cert.der().clone(),
        }
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.display().to_string()
    }

    async fn app(&self) -> App {
        self.app_with(Options::new()).await
    }

    /// Services that speak HTTPS.
    pub(super) async fn app_with(&self, options: Options) -> App {
        let options = options
            .both("tls-cert-file", &self.path("cert.pem"))
            .both("tls-key-file", &self.path("key.pem"));
        let mut app = App::with(options).await;
        app.auth_url = app.auth_url.replace("http:", "https:");
        app.resource_url = app.resource_url.replace("http:", "https:");
        app.client = self.client(Version::TLS_1_2, Version::TLS_1_3);
        app
    }

    /// Greets over a connection.
    pub(super) async fn greet(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        greet(&self.der, stream).await
    }

    fn client(&self, least: Version, most: Version) -> reqwest::Client {
        reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([self.root.clone()])
            .tls_version_min(least)
            .tls_version_max(most)
            .build()
            .unwrap()
    }
}

/// Greets a service over a connection, trusting one certificate.
pub(super) async fn greet(
    certificate: &CertificateDer<'static>,
    stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await
}

#[tokio::test]
async fn both_services_speak_tls_1_2_and_1_3() {
    let certificate = Certificate::make();
    let mut app = certificate.app().await;
    for version in [Version::TLS_1_2, Version::TLS_1_3] {
        app.client = certificate.client(version, version);
        let (_, pair) = app.newcomer().await;
        let next = app.refresh(&pair).await;
        app.call_home(&next.access_token).await.is(200);
        app.is_alive().await;
    }
}

#[tokio::test]
async fn browsers_are_told_to_come_over_tls_only_by_services_that_speak_it() {
    let certificate = Certificate::make();
    let tls = certificate.app().await;
    let plain = App::start().await;
    let paths = ["/healthz", "/nothing", "/api/home", "/api/account/login"];
    for (app, expected) in [(&tls, Some("max-age=31536000")), (&plain, None)] {
        for base in [&app.auth_url, &app.resource_url] {
            for path in paths {
                let answer = app.client.get(format!("{base}{path}")).send().await;
                let answer = Answer::read(answer.unwrap()).await;
                let told = answer.header("strict-transport-security");
                assert_eq!(told, expected, "{base}{path}");
            }
        }
    }
}

/// The greeting of a client that knows TLS 1.1 at most.
fn hello_of_1_1() -> Vec<u8> {
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    hello.push(0);
    // ECDHE-ECDSA with AES in GCM (which 1.1 has not) and CBC; no compression.
    hello.extend([0, 4, 0xc0, 0x2b, 0xc0, 0x09, 1, 0]);
    // Signature algorithms, groups and point formats: nothing is missing but a newer version.
    hello.extend([0, 24, 0, 13, 0, 6, 0, 4, 4, 3, 8, 4]);
    hello.extend([0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![0x16, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    record
}

#[tokio::test]
async fn older_versions_and_plain_http_are_refused() {
    let certificate = Certificate::make();
    let app = certificate.app().await;
    for url in [&app.auth_url, &app.resource_url] {
        let plain = url.replace("https:", "http:");
        let mut stream = open(&plain).await;
        stream.write_all(&hello_of_1_1()).await.unwrap();
        let mut alert = Vec::new();
        let _ = stream.read_to_end(&mut alert).await;
        // An alert of the highest level: protocol version.
        assert_eq!(alert.first(), Some(&0x15), "{alert:?}");
        assert_eq!(alert.get(5..), Some([2, 70].as_slice()), "{alert:?}");

        let mut stream = open(&plain).await;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let answer = RawAnswer::read(&mut stream).await;
        assert_eq!(answer.status(), None, "{answer:?}");
    }
    app.is_alive().await;
}

async fn healthcheck(name: &str, arguments: Vec<String>) -> (bool, String) {
    let path = tokio::task::spawn_blocking({
        let name = name.to_owned();
        move || program(&name)
    });
    let mut command = tokio::process::Command::new(path.await.unwrap());
    let done = command
        .env_clear()
        .arg("healthcheck")
        .args(arguments)
        .output();
    let done = done.await.unwrap();
    (
        done.status.success(),
        String::from_utf8_lossy(&done.stderr).into_owned(),
    )
}

#[tokio::test]
async fn the_health_check_asks_over_tls_and_is_not_content_with_a_connection() {
    let certificate = Certificate::make();
    let app = certificate.app().await;
    let tls = |address: &str| {
        vec![
            format!("--listen={}", address.trim_start_matches("https://")),
            format!("--tls-cert-file={}", certificate.path("cert.pem")),
            format!("--tls-key-file={}", certificate.path("key.pem")),
        ]
    };
    let (fine, said) = healthcheck("auth-server", tls(&app.auth_url)).await;
    assert!(fine, "{said}");
    let (fine, said) = healthcheck("resource-api", tls(&app.resource_url)).await;
    assert!(fine, "{said}");
    // A process that hangs: the system takes the connection, and nobody answers.
    let hung = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = hung.local_addr().unwrap().to_string();
    let (fine, said) = healthcheck("auth-server", tls(&address)).await;
    assert!(!fine && said.contains("no answer"), "{said}");
}
