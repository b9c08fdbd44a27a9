//! One connection from its first byte to its last: taken in or not, the TLS handshake, then HTTP, and an
//! end to every state of it.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actix_http::Protocol;
use actix_server::GracefulShutdownSignal;
use actix_web::dev::Service;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::admission::{Admission, Admitted};
use super::state::State;
use super::stream::{Stream, Wire};
use crate::connection_limits::ConnectionLimits;

/// What all connections go by.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) limits: ConnectionLimits,
    pub(super) admission: Arc<Admission>,
    pub(super) tls: Option<Arc<ServerConfig>>,
}

impl Rules {
    /// How long this connection may be silent between requests.
    fn idle(&self, admitted: &Admitted) -> Duration {
        if admitted.is_trusted() {
            self.limits.idle_of_proxy
        } else if self.admission.is_short() {
            self.limits.idle_when_short
        } else {
            self.limits.idle
        }
    }
}

/// Speaks with a client until one of the two ends it.
///
/// # Errors
/// Never: whatever goes wrong on a connection ends that connection alone.
pub(super) async fn run<H>(
    tcp: TcpStream,
    http: Rc<H>,
    rules: Rules,
    stopping: GracefulShutdownSignal,
) -> Result<(), ()>
where
    H: Service<(Stream, Protocol, Option<std::net::SocketAddr>)>,
{
    // An error is a client that has gone already.
    let Ok(peer) = tcp.peer_addr() else {
        return Ok(());
    };
    let Some(admitted) = rules.admission.admit(peer.ip()) else {
        return Ok(());
    };
    let state = Rc::new(State::new(Instant::now()));
    let wire = Wire::new(tcp, Rc::clone(&state));
    let stream = match &rules.tls {
        None => Stream::plain(wire),
        Some(tls) => match shake_hands(wire, tls, &rules, &admitted, stopping).await {
            Some(stream) => stream,
            None => return Ok(()),
        },
    };
    state.tick(Instant::now());
    state.greeted();
    let spoken = http.call((stream, Protocol::Http1, Some(peer)));
    watch(spoken, &state, &rules, &admitted).await;
    Ok(())
}

async fn shake_hands(
    wire: Wire,
    tls: &Arc<ServerConfig>,
    rules: &Rules,
    admitted: &Admitted,
    stopping: GracefulShutdownSignal,
) -> Option<Stream> {
    let until = Instant::now() + rules.limits.handshake;
    let shaken = async {
        // Whoever comes with many at once waits for the first of them, no longer than for a handshake.
        let Ok(_turn) = timeout_at(until, admitted.turn()).await else {
            admitted.had_no_turn();
            return None;
        };
        let shaken = TlsAcceptor::from(Arc::clone(tls)).accept(wire);
        Some(Stream::tls(timeout_at(until, shaken).await.ok()?.ok()?))
    };
    tokio::select! {
        shaken = shaken => shaken,
        () = admitted.gives_way() => None,
        // A stop does not wait for those who have asked for nothing yet.
        () = stopping.notified() => None,
    }
}

/// Drives a connection, and ends it when a state of it has lasted too long, or another one needs the place.
async fn watch(spoken: impl Future, state: &State, rules: &Rules, admitted: &Admitted) {
    let mut spoken = pin!(spoken);
    let mut armed = Instant::now();
    let mut timer = pin!(sleep_until(armed));
    let mut gives_way = pin!(admitted.gives_way());
    let mut farewell = None;
    poll_fn(|cx| {
        loop {
            let now = Instant::now();
            state.tick(now);
            if farewell.is_none() && gives_way.as_mut().poll(cx).is_ready() {
                // At once: what is between requests can say goodbye, and what is not has had its time.
                state.close();
                farewell = Some(now);
            }
            if spoken.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let (busy, since) = state.occupation();
            admitted.note(busy, since);
            let due =
                farewell.unwrap_or_else(|| state.deadline(&rules.limits, rules.idle(admitted)));
            if due <= now {
                if farewell.is_some() {
                    return Poll::Ready(());
                }
                state.close();
                farewell = Some(now + rules.limits.farewell);
                continue;
            }
            // A timer that rings too early costs less than one that is set for every request: it is set
            // anew when it has rung, and when the end came nearer.
            let wake = due.min(now + rules.limits.idle_when_short);
            if now < armed && armed <= wake {
                return Poll::Pending;
            }
            armed = wake;
            timer.as_mut().reset(wake);
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}
