//! What a service's process does around its routes: listen, answer within bounds, hear that it should stop,
//! and ask itself how it is.

use std::fmt::Debug;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_http::{Request, Response};
use actix_service::IntoServiceFactory;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Service, ServiceFactory};
use actix_web::{Error, HttpServer};
use rustls::ServerConfig;
use rustls::pki_types::ServerName;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long a health check waits for its answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a client may take for the head of a request.
const HEAD: Duration = Duration::from_secs(10);

/// How long a client may leave answers unread that do not fit into the buffers between us, before its
/// connection is given up (on Linux). Without it who asks much and reads nothing holds memory for ever.
const UNREAD: Duration = Duration::from_secs(30);

/// Bytes that the system takes from a client ahead of us; no request is much larger. The framework reads
/// all that is there, and keeps some kilobytes for each request in it, however small, while answers wait.
const INBOX: usize = 16 * 1024;

/// Seconds that a stop waits for requests to end.
const SHUTDOWN: u64 = 15;

/// Files that a service would like to have open at once, connections included.
const FILES: u64 = 65_536;

/// Files that are no connections: databases, keys, logs.
const OTHER_FILES: u64 = 256;

/// Takes a port; 0 takes a free one.
///
/// # Errors
/// A line for the operator that begins with the setting's name.
pub fn listen(setting: &str, addr: SocketAddr) -> Result<TcpListener, String> {
    bind(addr, UNREAD).map_err(|error| {
        format!(
            "{setting}: cannot listen on {addr}: {}",
            reason(addr.port(), &error)
        )
    })
}

fn bind(addr: SocketAddr, unread: Duration) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(addr)?;
    // What is accepted takes these over from the listener.
    let socket = SockRef::from(&listener);
    socket.set_recv_buffer_size(INBOX)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(unread))?;
    #[cfg(not(target_os = "linux"))]
    let _ = unread;
    Ok(listener)
}

/// Why a port cannot be had, with the usual remedy.
fn reason(port: u16, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::AddrInUse {
        return error.to_string();
    }
    let airplay = airplay(cfg!(target_os = "macos"), port);
    format!("the port is taken by another program; stop that, or choose another port{airplay}")
}

/// macOS itself listens on :5000, and a user who does not know that searches long.
const fn airplay(on_macos: bool, port: u16) -> &'static str {
    if on_macos && matches!(port, 5000 | 5001) {
        " (on macOS it may be AirPlay's: System Settings, General, AirDrop & Handoff, AirPlay Receiver)"
    } else {
        ""
    }
}

/// Answers on `listener` until `stop` completes, then finishes what it began.
///
/// # Errors
/// If the workers cannot be started.
pub async fn serve<F, I, S, B>(
    app: F,
    listener: TcpListener,
    tls: Option<ServerConfig>,
    stop: impl Future<Output = ()>,
) -> io::Result<()>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let server = HttpServer::new(app)
        .client_request_timeout(HEAD)
        .max_connections(connections_per_worker())
        .shutdown_timeout(SHUTDOWN)
        .disable_signals();
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
        None => server.listen(listener)?,
    }
    .run();
    let handle = server.handle();
    let mut running = pin!(server);
    tokio::select! {
        done = &mut running => done,
        () = stop => {
            // Stopping needs the server to be polled.
            let (done, ()) = tokio::join!(running, handle.stop(true));
            done
        }
    }
}

/// Connections beyond these wait to be accepted: better than an accepted one for which there is no file
/// left to open the database with.
fn connections_per_worker() -> usize {
    let files = rlimit::increase_nofile_limit(FILES).unwrap_or(1024);
    let workers = available_parallelism().map_or(1, std::num::NonZero::get);
    let connections = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
    (connections / workers).max(64)
}

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
    use super::*;

    #[test]
    fn a_taken_port_is_one_line_with_the_setting_and_the_address() {
        let taken = listen("AUTH_LISTEN", SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let addr = taken.local_addr().unwrap();
        let line = listen("AUTH_LISTEN", addr).unwrap_err();
        assert!(line.starts_with(&format!(
            "AUTH_LISTEN: cannot listen on {addr}: the port is taken"
        )));
        assert!(!line.contains('\n'));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_reads_no_answers_is_given_up() {
        use std::io::Write;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = bind(any, Duration::from_secs(1)).unwrap();
        let silent = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut ours, _) = listener.accept().unwrap();
        ours.set_write_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let error = loop {
            if let Err(error) = ours.write_all(&[0; 8_192]) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        drop(silent);
    }

    #[test]
    fn airplay_is_named_on_macos_for_its_ports_alone() {
        assert!(airplay(true, 5000).contains("AirPlay"));
        assert!(airplay(true, 5001).contains("AirPlay"));
        assert_eq!(airplay(true, 8080), "");
        assert_eq!(airplay(false, 5000), "");
    }

    #[tokio::test]
    async fn a_healthcheck_tells_a_healthy_service_from_a_sick_and_a_silent_one() {
        let answering = |answer: &'static [u8]| {
            let listener = listen("X", SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
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
