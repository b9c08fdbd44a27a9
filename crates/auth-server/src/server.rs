//! Puts the parts together, listens, and stops.

mod sign_on;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_web::web;
use chassis::metrics::{Metrics, prometheus};
use chassis::service::{self, Connections, HangUps};
use gate::Gate;
use shared::clock;
use shared::key_file::KeyFile;
use shared::token::{Policy, Signer, Validator};

use crate::accounts::{Accounts, NewAccount};
use crate::db::Caller;
use crate::db::Db;
use crate::error::Error;
use crate::feed::Endings;
use crate::feed::RevocationFeed;
use crate::log_in::password::Password;
use crate::log_in::{FrontDoor, Hasher};
use crate::mac_keys::MacKeyFile;
use crate::operations::clock_check::ClockCheck;
use crate::operations::counters::Counters;
use crate::outbox::{Links, Outbox, Post, Sender};
use crate::routes::{self, Hosted, Page, Rows};
use crate::sessions::{Announcer, Sessions};
use crate::settings::{DemoUser, PasswordSettings, Settings, Switch};
use crate::strength::{BreachedPasswords, Strength};
use sign_on::SignOnParts;

/// How long a start waits for a database server that is not there yet.
const DATABASE_PATIENCE: Duration = Duration::from_mins(1);

/// Why the service does not start: one line for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

impl StartError {
    fn of(cause: impl std::fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

/// The service, listening but not yet answering.
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    connections: Connections,
    parts: Parts,
}

/// What the workers share: built once, outside of their closure.
#[derive(Clone)]
struct Parts {
    settings: Settings,
    db: Db,
    validator: Arc<Validator>,
    signer: Arc<Signer>,
    mac_keys: Arc<MacKeyFile>,
    sessions: Arc<Sessions>,
    accounts: Arc<Accounts>,
    feed: RevocationFeed,
    page: Option<Arc<Page>>,
    metrics: Arc<Metrics>,
    counters: Counters,
    clock: ClockCheck,
    door: Arc<FrontDoor>,
    sender: Option<Arc<Sender>>,
    gate: web::Data<Gate>,
    hosted: web::Data<Hosted>,
    sign_on: Option<SignOnParts>,
}

impl Server {
    /// Checks the settings, reads the keys, opens the database and takes the port.
    ///
    /// # Errors
    /// [`StartError`] names the setting that is wrong and says what to do.
    pub async fn bind(settings: Settings) -> Result<Self, StartError> {
        let hang_ups = HangUps::hear();
        settings.check().map_err(StartError::of)?;
        let listener = service::listen("AUTH_LISTEN", settings.listen)
            .await
            .map_err(StartError)?;
        let addr = listener.local_addr().map_err(StartError::of)?;
        let tls = chassis::tls::open(&settings.http).map_err(StartError::of)?;
        let parts = build(settings).await?;
        let connections = Connections::new(&parts.settings.http, tls, &parts.metrics, hang_ups)
            .map_err(StartError::of)?;
        Ok(Self {
            listener,
            addr,
            connections,
            parts,
        })
    }

    /// The address that was taken.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
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
            ..
        } = self;
        let mut background = vec![
            tokio::spawn(Arc::clone(parts.validator.keys()).follow_closely()),
            tokio::spawn(Arc::clone(&parts.mac_keys).follow()),
            tokio::spawn(parts.feed.clone().follow()),
            tokio::spawn(parts.clock.clone().follow()),
        ];
        if let Some(sender) = &parts.sender {
            background.push(tokio::spawn(Arc::clone(sender).follow()));
        }
        if let Some(sign_on) = &parts.sign_on {
            background.push(tokio::spawn(Arc::clone(&sign_on.id_keys).follow()));
            background.push(tokio::spawn(sign_on.clients.clone().follow()));
            background.push(tokio::spawn(Arc::clone(&sign_on.back_channel).follow()));
        }
        let feed = parts.feed.clone();
        let stop = async move {
            stop.await;
            // Waiting questions would hold the end up.
            feed.close();
        };
        let done = service::serve(
            move |config| routes(config, &parts),
            listener,
            connections,
            stop,
        )
        .await;
        background.iter().for_each(tokio::task::JoinHandle::abort);
        done
    }
}

fn routes(config: &mut web::ServiceConfig, parts: &Parts) {
    config
        .app_data(web::Data::new(parts.db.clone()))
        .app_data(web::Data::new(parts.feed.clone()))
        .app_data(web::Data::new(parts.settings.registration))
        .app_data(web::Data::new(parts.settings.http.trusted_proxies.clone()))
        .app_data(parts.hosted.clone())
        .app_data(parts.gate.clone())
        .app_data(web::Data::from(Arc::clone(&parts.signer)))
        .app_data(web::Data::from(Arc::clone(&parts.sessions)))
        .app_data(web::Data::from(Arc::clone(&parts.accounts)))
        .app_data(web::Data::new(parts.counters.clone()))
        .app_data(web::Data::new(parts.clock.clone()))
        .app_data(web::Data::from(Arc::clone(&parts.door)))
        .configure(|config| routes::table(config, parts.sign_on.is_some()));
    if let Some(sign_on) = &parts.sign_on {
        config
            .app_data(sign_on.sign_on.clone())
            .app_data(sign_on.gate.clone())
            .app_data(sign_on.metadata.clone())
            .app_data(sign_on.offers.clone())
            .configure(routes::oauth_table);
    }
    if let Some(page) = &parts.page {
        config.app_data(web::Data::from(Arc::clone(page)));
        let newest = parts.sender.as_ref().and_then(|sender| sender.newest());
        routes::page_table(config, page, newest);
    }
}

/// The key ring and the MAC keys.
fn open_keys(settings: &Settings) -> Result<(Arc<KeyFile>, Arc<MacKeyFile>), StartError> {
    let keys = KeyFile::open(&settings.token.jwt_keys_file)
        .map_err(|e| StartError(e.naming("JWT_KEYS_FILE")))?;
    if keys.ring().active(clock::now()).is_none() {
        return Err(StartError(format!(
            "JWT_KEYS_FILE: {} holds no key that can sign now: `auth-server keys status` shows them, \
             `auth-server keys rotate --in 0s` adds one",
            settings.token.jwt_keys_file.display()
        )));
    }
    let mac_keys = MacKeyFile::open(&settings.store.refresh_keys_file)
        .map_err(|e| StartError(e.naming("REFRESH_KEYS_FILE")))?;
    Ok((keys, mac_keys))
}

fn find_page(settings: &Settings, policy: &Policy) -> Result<Option<Arc<Page>>, StartError> {
    let Some(root) = &settings.page.web_root else {
        return Ok(None);
    };
    let mail = settings.mail.mail_url.is_some();
    let found = Page::find(root, &settings.page, &settings.lifetimes, policy, mail);
    Ok(Some(Arc::new(found.map_err(StartError)?)))
}

async fn build(settings: Settings) -> Result<Parts, StartError> {
    let (keys, mac_keys) = open_keys(&settings)?;
    let policy = settings.token.policy();
    let page = find_page(&settings, &policy)?;
    let metrics = Metrics::new("auth-server", env!("CARGO_PKG_VERSION")).map_err(StartError::of)?;
    let counters = Counters::register(&metrics).map_err(StartError::of)?;
    let metrics = Arc::new(metrics);
    let db = open(&settings).await?;
    let clock = ClockCheck::start(db.clone(), &metrics)
        .await
        .map_err(StartError::of)?;
    let in_force = settings.lifetimes.revocation_in_force(policy.skew);
    let endings = Endings::new(in_force);
    let feed = RevocationFeed::start(db.clone(), endings.clone(), clock::now)
        .await
        .map_err(StartError::of)?;
    let validator = Arc::new(Validator::new(Arc::clone(&keys), policy.clone()));
    let signer = Arc::new(Signer::new(Arc::clone(&keys), policy.clone()));
    let announcer = Announcer::new(endings, counters.clone());
    let post = Post::open(&settings.mail, &policy.issuer).map_err(StartError)?;
    let outbox = Outbox::new(post.is_some());
    let new_devices = Outbox::new(post.is_some() && settings.mail.mail_new_device == Switch::On);
    let links = Links::new(&settings.mail.links(&policy.issuer), Arc::clone(&mac_keys));
    let sessions = Arc::new(Sessions::new(
        db.clone(),
        Signer::new(keys, policy),
        Arc::clone(&validator),
        Arc::clone(&mac_keys),
        announcer.clone(),
        settings.lifetimes.clone(),
        (outbox, new_devices),
    ));
    let strength = strength(&settings.passwords).map_err(StartError)?;
    let threads = available_parallelism().map_or(1, std::num::NonZero::get);
    let hasher = Hasher::start(threads, strength).map_err(StartError::of)?;
    let door = Arc::new(FrontDoor::new(
        db.clone(),
        hasher.clone(),
        Arc::clone(&mac_keys),
        Arc::clone(&sessions),
        (outbox, settings.registration.wants_proof()),
        settings.limits.login_limits,
        settings.http.trusted_proxies.is_empty(),
    ));
    watch_queues(&metrics, &door, &db, &feed).map_err(StartError::of)?;
    let gate = Gate::looking_up(
        Arc::clone(&validator),
        Arc::new(Rows(Arc::clone(&sessions))),
    );
    let told = (&announcer, metrics.as_ref());
    let sign_on = sign_on::build(&settings, &db, &sessions, (&validator, &mac_keys), told).await?;
    let (title, style) = (&settings.sign_on.page_title, &settings.sign_on.page_style);
    let issuer = validator.policy().issuer.clone();
    let hosted = Hosted::new(&issuer, title.as_deref(), style.as_deref()).map_err(StartError)?;
    let accounts = Arc::new(Accounts::new(
        db.clone(),
        hasher,
        Arc::clone(&mac_keys),
        outbox,
        Some(announcer.clone()),
    ));
    let sender = match post {
        None => None,
        Some(post) => Some(Arc::new(
            Sender::new(db.clone(), post, links, counters.clone(), &metrics)
                .map_err(StartError::of)?,
        )),
    };
    if settings.limits.login_limits == Switch::Off {
        log::warn!("LOGIN_LIMITS is off: passwords can be guessed at full speed");
    }
    service::warn_of_one_address(&settings.http, settings.listen);
    if let Some(demo) = settings.page.demo_user.clone() {
        add_demo_user(&accounts, demo).await?;
    }
    Ok(Parts {
        settings,
        db,
        validator,
        signer,
        mac_keys,
        sessions,
        accounts,
        feed,
        page,
        metrics,
        counters,
        clock,
        door,
        sender,
        gate: web::Data::new(gate.every_audience()),
        hosted: web::Data::new(hosted),
        sign_on,
    })
}

/// What waits, as metrics that are read when they are asked for.
fn watch_queues(
    metrics: &Metrics,
    door: &Arc<FrontDoor>,
    db: &Db,
    feed: &RevocationFeed,
) -> Result<(), prometheus::Error> {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let (door, db, feed) = (Arc::clone(door), db.clone(), feed.clone());
    metrics.gauge(
        "keyturn_hash_queue",
        "Passwords that wait to be checked",
        move || count(door.waiting()),
    )?;
    metrics.gauge("keyturn_write_queue", "Database writes that wait", {
        let db = db.clone();
        move || count(db.waiting())
    })?;
    let (commits, writes) = (db.clone(), db);
    metrics.counter(
        "keyturn_group_commits_total",
        "Commits that carried the writes which waited together: on SQLite all of them, on PostgreSQL refreshes",
        move || commits.groups().commits(),
    )?;
    metrics.counter(
        "keyturn_group_writes_total",
        "Writes in those commits",
        move || writes.groups().writes(),
    )?;
    metrics.gauge(
        "keyturn_feed_entries",
        "Ended sessions that the revocation feed names",
        move || count(feed.len()),
    )
}

/// What a new password must be, by the settings.
pub(crate) fn strength(settings: &PasswordSettings) -> Result<Strength, String> {
    let file = settings.breached_passwords_file.as_deref();
    let breached = file.map(BreachedPasswords::open).transpose()?;
    Ok(Strength::new(settings.password_policy, breached))
}

async fn open(settings: &Settings) -> Result<Db, StartError> {
    let url = settings.store.database_url.clone();
    let opened = tokio::task::spawn_blocking(move || Db::open(&url, DATABASE_PATIENCE))
        .await
        .map_err(StartError::of)?;
    opened.map_err(|e| StartError(format!("DATABASE_URL: {e}")))
}

async fn add_demo_user(accounts: &Accounts, demo: DemoUser) -> Result<(), StartError> {
    let name = demo.email.split('@').next().unwrap_or_default().to_owned();
    let new = NewAccount {
        user_name: name,
        email: demo.email.clone(),
        password: Password::new(demo.password),
        roles: Vec::new(),
    };
    let added = accounts.add_demo(new, &Caller::cli()).await;
    match added {
        Ok(()) | Err(Error::AccountExists) => {
            log::warn!(
                "DEMO_USER: everyone can log in as {}; not for a server that others can reach",
                demo.email
            );
            Ok(())
        }
        Err(error) => Err(StartError(format!("DEMO_USER: {error}"))),
    }
}
