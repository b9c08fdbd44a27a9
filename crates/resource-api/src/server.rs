//! Puts the parts together, listens, and stops.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use chassis::service::{self, Connections, HangUps};
use chassis::settings::JWT_KEYS_FILE;
use gate::Gate;
use shared::follow::Follower;
use shared::key_file::KeyFile;
use shared::token::Validator;
use tokio::task::JoinHandle;

use crate::error::StartError;
use crate::metrics;
use crate::revocations::{DenyFile, Revoked};
use crate::routes;
use crate::settings::{Following, Settings};

/// How often the deny file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The service, listening but not yet answering.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    connections: Connections,
    parts: Parts,
    follower: Option<Follower>,
}

/// What the workers share: built once, outside of their closure.
#[derive(Clone)]
struct Parts {
    gate: web::Data<Gate>,
    revoked: Arc<Revoked>,
}

impl Server {
    /// Checks the settings, reads the key ring and takes the port; port 0 takes a free one.
    ///
    /// # Errors
    /// [`StartError`] names the setting that is wrong and says what to do.
    pub async fn bind(settings: Settings) -> Result<Self, StartError> {
        let hang_ups = HangUps::hear();
        // For the feed over HTTPS. Err means that a program around us has chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();

        let following = settings.revocation.following()?;
        let keys = KeyFile::open(&settings.token.jwt_keys_file)
            .map_err(|error| StartError::of(error.naming(JWT_KEYS_FILE)))?;
        let tls = chassis::tls::open(&settings.http).map_err(StartError::of)?;
        let deny = settings.revocation.deny_file.as_deref().map(|path| {
            DenyFile::open(path).map_err(|error| {
                StartError::setting(
                    "DENY_FILE",
                    format!("{} cannot be read: {error}", path.display()),
                )
            })
        });
        let policy = settings.token.policy();
        let follower_and_view = following
            .map(
                |Following {
                     url,
                     stale,
                     max_age,
                 }| {
                    Follower::new(url, &keys, &policy, stale, max_age)
                        .map_err(|error| StartError::setting("REVOCATION_FEED_URL", error))
                },
            )
            .transpose()?;
        let (follower, view) = follower_and_view.unzip();
        let revoked = Arc::new(Revoked {
            deny: deny.transpose()?,
            view,
        });
        let metrics = metrics::of(&revoked).map_err(StartError::of)?;
        let validator = Validator::new(keys, policy);
        let connections =
            Connections::new(&settings.http, tls, &metrics, hang_ups).map_err(StartError::of)?;

        let listener = service::listen("RESOURCE_LISTEN", settings.listen)
            .await
            .map_err(StartError::of)?;
        let address = listener.local_addr().map_err(StartError::of)?;
        service::warn_of_one_address(&settings.http, settings.listen);
        let parts = Parts {
            gate: web::Data::new(Gate::new(validator, Arc::clone(&revoked) as _)),
            revoked,
        };
        Ok(Self {
            listener,
            address,
            connections,
            parts,
            follower,
        })
    }

    /// The address that was taken.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` completes, then finishes what it began.
    ///
    /// # Errors
    /// If the workers cannot be started.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let Self {
            listener,
            connections,
            parts,
            follower,
            ..
        } = self;
        let background: Vec<JoinHandle<()>> = [
            Some(tokio::spawn(
                Arc::clone(parts.gate.validator().keys()).follow(),
            )),
            parts
                .revoked
                .deny
                .as_ref()
                .map(|_| tokio::spawn(look(Arc::clone(&parts.revoked)))),
            follower.map(|follower| tokio::spawn(follower.follow())),
        ]
        .into_iter()
        .flatten()
        .collect();

        let done = service::serve(
            move |config| routes(config, &parts),
            listener,
            connections,
            stop,
        )
        .await;
        background.iter().for_each(JoinHandle::abort);
        done
    }
}

/// Looks at the deny file every second, for ever.
async fn look(revoked: Arc<Revoked>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let revoked = Arc::clone(&revoked);
        // The file may be large, or on a disk that hangs: not on an async worker.
        let look = move || revoked.deny.as_ref().map(DenyFile::reload_if_changed);
        if let Err(error) = tokio::task::spawn_blocking(look).await {
            log::error!("DENY_FILE: {error}");
        }
    }
}

fn routes(config: &mut web::ServiceConfig, parts: &Parts) {
    config
        .app_data(parts.gate.clone())
        .app_data(web::Data::from(Arc::clone(&parts.revoked)))
        .configure(routes::table);
}

#[cfg(test)]
mod tests;
