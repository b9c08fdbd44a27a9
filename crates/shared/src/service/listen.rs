//! Taking the port, with what every accepted connection takes over from it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Socket, TcpKeepalive, Type};

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

/// Takes a port; 0 takes a free one.
///
/// # Errors
/// A line for the operator that begins with the setting's name.
pub fn listen(setting: &str, addr: SocketAddr) -> Result<TcpListener, String> {
    bind(addr, ConnectionLimits::default().unread).map_err(|error| {
        format!(
            "{setting}: cannot listen on {addr}: {}",
            reason(addr.port(), &error)
        )
    })
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
}
