//! Asking a service on this machine how it is.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

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
    let asked = timeout(PATIENCE, ask(addr, tls)).await;
    asked
        .map_err(|_| format!("no answer from {addr} within {PATIENCE:?}"))?
        .map_err(|e| format!("{addr}: {e}"))
}

async fn ask(addr: SocketAddr, tls: bool) -> io::Result<()> {
    let stream = TcpStream::connect(addr).await?;
    if tls {
        let name = ServerName::IpAddress(addr.ip().into());
        let config = Arc::new(crate::tls::any_certificate().map_err(io::Error::other)?);
        ask_over(TlsConnector::from(config).connect(name, stream).await?).await
    } else {
        ask_over(stream).await
    }
}

async fn ask_over(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    // A TLS connection may be closed without a word; the answer counts.
    let read = stream.take(4096).read_to_end(&mut answer).await;
    let first = answer
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    if first == b"HTTP/1.1 200 OK" {
        Ok(())
    } else if let (true, Err(error)) = (answer.is_empty(), read) {
        Err(error)
    } else {
        Err(io::Error::other(format!(
            "answered {:?}",
            String::from_utf8_lossy(first)
        )))
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
