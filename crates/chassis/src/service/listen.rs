//! Taking the port, with what every accepted connection takes over from it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Socket, TcpKeepalive, Type};
use tokio::time::{Instant, sleep};

use crate::connection_limits::ConnectionLimits;

/// Bytes that the system takes from a client ahead of us; no request is much larger. The framework reads
/// all that is there, and keeps some kilobytes for each request in it, however small, while answers wait.
const INBOX: usize = 16 * 1024;

/// Connections that may wait to be accepted: a burst must not reach the clients as a lost packet. The
/// system cuts it to what it allows.
const BACKLOG: i32 = 2048;

/// When the system asks a silent peer whether it is still there. A machine that lost its power sends no
/// end.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_mins(1))
    .with_interval(Duration::from_secs(15));

/// How long a port may be taken before the start is given up, and how often it is tried meanwhile: a
/// process that was told to stop, or killed, may hold it for a moment longer.
const TAKEN: Duration = Duration::from_secs(2);
const TRY_EVERY: Duration = Duration::from_millis(100);

/// Takes a port; 0 takes a free one. One that is taken is tried for two seconds.
///
/// # Errors
/// A line for the operator that begins with the setting's name.
pub async fn listen(setting: &str, addr: SocketAddr) -> Result<TcpListener, String> {
    let began = Instant::now();
    loop {
        match bind(addr, ConnectionLimits::default().unread) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && began.elapsed() < TAKEN => {
                sleep(TRY_EVERY).await;
            }
            Err(error) => {
                let reason = reason(addr.port(), &error);
                return Err(format!("{setting}: cannot listen on {addr}: {reason}"));
            }
        }
    }
}

fn bind(addr: SocketAddr, unread: Duration) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    // A port whose last connections are still being forgotten is free; on Windows it would mean another thing.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    // What is accepted takes these over from the listener.
    socket.set_recv_buffer_size(INBOX)?;
    socket.set_tcp_keepalive(&KEEPALIVE)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(unread))?;
    #[cfg(not(target_os = "linux"))]
    let _ = unread;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[tokio::test]
    async fn a_taken_port_is_one_line_with_the_setting_and_the_address() {
        let taken = listen("AUTH_LISTEN", ANY).await.unwrap();
        let addr = taken.local_addr().unwrap();
        let line = listen("AUTH_LISTEN", addr).await.unwrap_err();
        assert!(line.starts_with(&format!(
            "AUTH_LISTEN: cannot listen on {addr}: the port is taken"
        )));
        assert!(!line.contains('\n'));
    }

    #[tokio::test]
    async fn a_port_that_is_taken_for_a_moment_does_not_end_the_start() {
        let taken = listen("AUTH_LISTEN", ANY).await.unwrap();
        let addr = taken.local_addr().unwrap();
        let held = async {
            sleep(TAKEN / 4).await;
            drop(taken);
        };
        let (got, ()) = tokio::join!(listen("AUTH_LISTEN", addr), held);
        assert_eq!(got.unwrap().local_addr().unwrap(), addr);
    }

    #[test]
    fn the_system_asks_whether_a_silent_client_is_still_there() {
        let listener = bind(ANY, TAKEN).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (ours, _) = listener.accept().unwrap();
        let ours = socket2::SockRef::from(&ours);
        assert!(ours.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(ours.tcp_keepalive_time().unwrap(), Duration::from_mins(1));
    }

    /// Without room in the queue the system drops the greeting, and the client tries again a second later.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_burst_of_connections_waits_to_be_accepted() {
        let listener = bind(ANY, TAKEN).unwrap();
        let addr = listener.local_addr().unwrap();
        let most: usize = std::fs::read_to_string("/proc/sys/net/core/somaxconn")
            .map_or(1024, |text| text.trim().parse().unwrap());
        let burst: Vec<_> = (0..most.min(1024))
            .map(|_| std::net::TcpStream::connect_timeout(&addr, Duration::from_secs(3)).unwrap())
            .collect();
        drop(burst);
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
}
