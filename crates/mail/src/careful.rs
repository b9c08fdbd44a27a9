//! A connection that reads nothing ahead of STARTTLS.
//!
//! lettre reads through a buffer and keeps it when TLS begins. Whoever sits on the way could put answers behind
//! the server's "go ahead", in the clear, and lettre would take them for what the server says under TLS (the
//! attack is known as response injection). So until the client begins TLS, a read yields one byte: the buffer
//! never holds more than the line that was waited for, and what was put behind it runs into the handshake.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What the first byte of a TLS handshake is; no command of SMTP begins with it.
const HANDSHAKE: u8 = 0x16;

/// The connection.
#[derive(Debug)]
pub(crate) struct Careful {
    tcp: TcpStream,
    tls_began: bool,
}

impl Careful {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            tls_began: false,
        }
    }
}

impl AsyncTokioStream for Careful {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.peer_addr()
    }
}

impl AsyncRead for Careful {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.tls_began || into.remaining() == 0 {
            return Pin::new(&mut self.tcp).poll_read(cx, into);
        }
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut one))?;
        into.put_slice(one.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Careful {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.tls_began |= from.first() == Some(&HANDSHAKE);
        Pin::new(&mut self.tcp).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
