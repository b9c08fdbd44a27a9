//! What a service's process does around its routes: listen, answer within bounds, hear that it should stop,
//! and ask itself how it is.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive, Request, Response};
use actix_server::Server;
use actix_service::{
    IntoServiceFactory, ServiceFactoryExt, apply_fn_factory, fn_factory, fn_service, map_config,
};
use actix_web::App;
use actix_web::dev::{AppConfig, Service, ServiceFactory};
use actix_web::http::header::{HeaderValue, STRICT_TRANSPORT_SECURITY};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use tokio::net::TcpStream;
use tokio::time::sleep;

mod admission;
mod answer;
mod connection;
mod health;
mod listen;
mod seats;
mod state;
mod stream;

pub use health::healthcheck;
pub use listen::listen;

use admission::Admission;
use answer::Begun;
use connection::Rules;
use stream::Stream;

use crate::http::{self, CorsOrigins};
use crate::metrics::Metrics;
use crate::settings::HttpSettings;
use crate::tls::{TlsError, TlsFiles};

/// Seconds that a stop waits for requests to end.
const SHUTDOWN: u64 = 15;

/// Files that a service would like to have open at once, connections included.
const FILES: u64 = 65_536;

/// Files that are no connections: databases, keys, logs.
const OTHER_FILES: u64 = 256;

/// What browsers keep in mind of a host that speaks HTTPS by itself: a year, of this host alone.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// How often the files of the certificate are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How the connections of a service are taken in, spoken with and ended.
#[derive(Debug)]
pub struct Connections {
    rules: Rules,
    per_worker: usize,
    tls: Option<Arc<TlsFiles>>,
    hang_ups: HangUps,
    origins: CorsOrigins,
    metrics: Metrics,
}

/// Why a service cannot take connections.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionsError {
    /// The metrics have been registered before.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Connections {
    /// By the settings; `tls` is what [`crate::tls::open`] made of them. `hang_ups` were heard since before anything
    /// that may take its time, so that a SIGHUP ends no start.
    ///
    /// # Errors
    /// If the metrics have been registered before.
    pub fn new(
        settings: &HttpSettings,
        tls: Option<Arc<TlsFiles>>,
        metrics: &Metrics,
        hang_ups: HangUps,
    ) -> Result<Self, ConnectionsError> {
        let most = connections_of_process();
        let workers = available_parallelism().map_or(1, std::num::NonZero::get);
        let proxies = settings.trusted_proxies.clone();
        let admission = Admission::new(most, proxies, metrics.registry())?;
        Ok(Self {
            rules: Rules {
                limits: settings.connection_limits,
                admission,
                tls: tls
                    .as_ref()
                    .map(TlsFiles::config)
                    .transpose()?
                    .map(Arc::new),
            },
            // Only the framework's ceiling, at which others wait to be accepted. `Admission` bounds them all together.
            per_worker: most.div_ceil(workers),
            tls,
            hang_ups,
            origins: settings.cors_allowed_origins.clone(),
            metrics: metrics.clone(),
        })
    }
}

/// Says in the log what a service that others can reach misses when no proxy is named.
pub fn warn_of_one_address(settings: &HttpSettings, listen: SocketAddr) {
    if settings.trusted_proxies.is_empty() && !listen.ip().is_loopback() {
        log::warn!("TRUSTED_PROXIES is not set: behind a proxy, all clients count as one address");
    }
}

/// Answers the `routes` on `listener` until `stop` completes, then finishes what it began.
///
/// The order of what is around the routes stands here and nowhere else: see [`crate::http`].
///
/// It is what `actix_web::HttpServer` does, but for the connections: that arms the timer for a slow head
/// once per connection, does TLS handshakes a few at a time, and knows no bound per address.
///
/// # Errors
/// If the workers cannot be started.
pub async fn serve(
    routes: impl Fn(&mut ServiceConfig) + Send + Clone + 'static,
    listener: TcpListener,
    connections: Connections,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let Connections {
        rules,
        per_worker,
        tls,
        hang_ups,
        origins,
        metrics,
    } = connections;
    let server = Server::build()
        .max_concurrent_connections(per_worker)
        .shutdown_timeout(SHUTDOWN)
        .disable_signals();
    let stopping = server.graceful_shutdown_signal();
    let pipeline = move || {
        let secure = rules.tls.is_some();
        let routes = routes.clone();
        let app = App::new()
            .app_data(Data::new(metrics.clone()))
            .configure(move |config| routes(config))
            .default_service(web::to(http::not_found))
            .wrap(from_fn(http::bounds))
            .wrap(http::cors(&origins))
            // Wrapped last, so it comes first.
            .wrap(from_fn(http::finish));
        let app = app
            .into_factory()
            .map_err(|error: actix_web::Error| error.error_response());
        let app = map_config(app, |()| AppConfig::default());
        let app = apply_fn_factory(app, move |request: Request, app: &_| {
            let begun = Begun::of(&request);
            let called = Service::call(app, request);
            async move {
                let mut response: Response<_> = called.await?.into();
                if secure {
                    let headers = response.headers_mut();
                    headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
                }
                Ok::<_, actix_web::HttpResponse>(response.map_body(|_, body| begun.with(body)))
            }
        });
        let draining = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let draining = draining.clone();
                async move { draining.notified().await }
            })
            // What is slow or idle is ended by `connection`; only this knows how to answer a slow first head.
            .client_request_timeout(rules.limits.head)
            .client_disconnect_timeout(rules.limits.farewell)
            .keep_alive(KeepAlive::Os)
            .on_connect_ext(|stream: &Stream, data| {
                data.insert(Rc::clone(stream.state()));
            })
            .finish(app);
        let (rules, stopping) = (rules.clone(), stopping.clone());
        fn_factory(move || {
            let http = http.new_service(());
            let (rules, stopping) = (rules.clone(), stopping.clone());
            async move {
                let http = Rc::new(http.await?);
                Ok::<_, ()>(fn_service(move |tcp: TcpStream| {
                    connection::run(tcp, Rc::clone(&http), rules.clone(), stopping.clone())
                }))
            }
        })
    };
    let server = server.listen("http", listener, pipeline)?.run();
    let handle = server.handle();
    let mut running = pin!(server);
    tokio::select! {
        done = &mut running => done,
        () = follow(tls, hang_ups) => Ok(()),
        () = stop => {
            // Stopping needs the server to be polled.
            let (done, ()) = tokio::join!(running, handle.stop(true));
            done
        }
    }
}

/// Looks at the files of the certificate every second, and at once on SIGHUP, for ever. Where there are none,
/// SIGHUP still does not end the process: it is what certificate tools send to every daemon.
async fn follow(tls: Option<Arc<TlsFiles>>, mut hang_ups: HangUps) {
    loop {
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            () = hang_ups.next() => {}
        }
        if let Some(files) = &tls {
            files.reload_if_changed();
        }
    }
}

/// Connections beyond these are closed at once: better than one for which there is no file left to open the
/// database with. However few files there are, some clients get in.
fn connections_of_process() -> usize {
    let files = rlimit::increase_nofile_limit(FILES).unwrap_or(1024);
    let connections = files.saturating_sub(OTHER_FILES).max(files / 4).max(1);
    usize::try_from(connections).unwrap_or(usize::MAX)
}

/// The SIGHUPs of this process, where there is such a thing. From the first [`HangUps::hear`] on they do not
/// end it any more.
#[derive(Debug)]
pub struct HangUps {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl HangUps {
    /// Begins to hear them; within a runtime.
    #[must_use]
    pub fn hear() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    /// Completes at the next one.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
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
