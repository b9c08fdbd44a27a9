//! What a service's process does besides answering: hear that it should stop, and ask itself how it is.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a health check waits for its answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Completes when the process is told to stop: Ctrl-C, or SIGTERM where there is such a thing.
pub async fn stop_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a handler there is nothing to wait for; SIGTERM below still works.
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

/// Asks the service that listens on `addr` for `/healthz`. Slim images have no curl, so the program that
/// serves can ask as well. A service with TLS is only asked for a connection: its certificate names a
/// host, not this address.
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

async fn ask(addr: SocketAddr, tls: bool) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    if tls {
        return Ok(());
    }
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    let first = answer
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    if first == b"HTTP/1.1 200 OK" {
        Ok(())
    } else {
        Err(std::io::Error::other(format!(
            "answered {:?}",
            String::from_utf8_lossy(first)
        )))
    }
}
