//! Asking a service on this machine how it is.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::redirect::Policy;
use shared::with_causes;

/// How long a health check waits for its answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the service that listens on `addr` for `/healthz`. Slim images have no curl, so the program that
/// serves can ask as well. Of a service with TLS any certificate will do: it names a host and not this
/// address, and nothing that is secret is said.
///
/// # Errors
/// A sentence that says what was wrong.
pub async fn healthcheck(listen: SocketAddr, tls: bool) -> Result<(), String> {
    let mut addr = listen;
    if addr.ip().is_unspecified() {
        addr.set_ip(if addr.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    // Err means that somebody has chosen one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .redirect(Policy::none())
        // Also without TLS: the machine may have no list of authorities to load.
        .tls_danger_accept_invalid_certs(true)
        .build()
        .map_err(|error| with_causes(&error))?;
    let scheme = if tls { "https" } else { "http" };
    let answer = client
        .get(format!("{scheme}://{addr}/healthz"))
        .send()
        .await;
    match answer.map_err(reqwest::Error::without_url) {
        Ok(answer) if answer.status() == StatusCode::OK => Ok(()),
        Ok(answer) => Err(format!("{addr}: answered {}", answer.status())),
        Err(error) if error.is_timeout() => {
            Err(format!("no answer from {addr} within {PATIENCE:?}"))
        }
        Err(error) => Err(format!("{addr}: {}", with_causes(&error))),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_healthcheck_tells_a_healthy_service_from_a_sick_and_a_silent_one() {
        let answering = |answer: &'static [u8]| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let addr = listener.local_addr().unwrap();
            std::thread::spawn(move || {
                use std::io::{Read, Write};
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 1024]);
                stream.write_all(answer).unwrap();
            });
            addr
        };
        let healthy = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(healthcheck(healthy, false).await, Ok(()));
        let sick = answering(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
        assert!(
            healthcheck(sick, false)
                .await
                .is_err_and(|why| why.contains("503"))
        );
        let gone = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        assert!(healthcheck(gone, false).await.is_err());
    }
}
