//! Both services in this process, on free ports, with a folder and a database of their own; or a deployment.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Once;
use std::thread::JoinHandle;

use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::{Database, Forge, Options};

/// The services under test, and a client for them. Dropping it ends the services and removes what was theirs.
pub struct App {
    /// Address of auth-server, without a slash at the end.
    pub auth_url: String,
    /// Address of resource-api.
    pub resource_url: String,
    /// The HTTP client of the verbs.
    pub client: reqwest::Client,
    /// What is there only for services of our own.
    inside: Option<Inside>,
    /// The services of a replica.
    replica: Option<Servers>,
}

struct Inside {
    servers: Option<Servers>,
    database: Database,
    options: Options,
    // Last, so that it goes last.
    folder: TempDir,
}

impl App {
    /// The services as most tests want them, or the deployment that the environment names.
    pub async fn any() -> Self {
        match (
            std::env::var("E2E_AUTH_URL"),
            std::env::var("E2E_RESOURCE_URL"),
        ) {
            (Ok(auth), Ok(resource)) => Self {
                auth_url: auth.trim_end_matches('/').to_owned(),
                resource_url: resource.trim_end_matches('/').to_owned(),
                client: client(),
                inside: None,
                replica: None,
            },
            (Err(_), Err(_)) => Self::with(Options::new().with_feed()).await,
            _ => panic!("E2E_AUTH_URL and E2E_RESOURCE_URL: give both or none"),
        }
    }

    /// Services that run already.
    #[must_use]
    pub fn at(auth_url: &str, resource_url: &str) -> Self {
        Self {
            auth_url: auth_url.to_owned(),
            resource_url: resource_url.to_owned(),
            client: client(),
            inside: None,
            replica: None,
        }
    }

    /// Services of our own with the harness's settings.
    pub async fn start() -> Self {
        Self::with(Options::new()).await
    }

    /// Services of our own with these settings.
    pub async fn with(options: Options) -> Self {
        Self::upon(options, |_, _| ()).await
    }

    /// Services of our own with these settings, on files and a database that this puts there first.
    pub async fn upon(options: Options, put: impl FnOnce(&Path, &Database)) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let database = Database::create(folder.path());
        put(folder.path(), &database);
        let settings = options
            .auth_settings(folder.path(), database.url())
            .expect("settings of auth-server");
        auth_server::key_files::init(&settings, shared::clock::now()).expect("key files");
        let servers = Servers::start(&options, folder.path(), database.url())
            .await
            .expect("the services start");
        Self {
            auth_url: format!("http://{}", servers.auth),
            resource_url: format!("http://{}", servers.resource),
            client: client(),
            inside: Some(Inside {
                servers: Some(servers),
                database,
                options,
                folder,
            }),
            replica: None,
        }
    }

    /// A second pair of services on the same files and the same database. It must go before the first.
    pub async fn replica(&self, options: &Options) -> Self {
        let servers = Servers::start(options, self.folder(), self.database().url())
            .await
            .expect("the replica starts");
        let [auth, resource] = [servers.auth, servers.resource].map(|at| format!("http://{at}"));
        Self {
            replica: Some(servers),
            ..Self::at(&auth, &resource)
        }
    }

    /// Ends the services and starts them again on the same folder and database, with other settings if given.
    pub async fn restart(&mut self, options: Option<Options>) {
        let inside = self.inside.as_mut().expect("services of our own");
        drop(inside.servers.take());
        inside.options = options.unwrap_or_else(|| inside.options.clone());
        let (folder, url) = (inside.folder.path(), inside.database.url());
        let servers = Servers::start(&inside.options, folder, url)
            .await
            .expect("the services start again");
        self.auth_url = format!("http://{}", servers.auth);
        self.resource_url = format!("http://{}", servers.resource);
        inside.servers = Some(servers);
    }

    /// Whether this is a deployment that belongs to somebody else.
    #[must_use]
    pub fn is_deployment(&self) -> bool {
        self.inside.is_none() && self.replica.is_none()
    }

    /// The folder with the key files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.inside
            .as_ref()
            .expect("services of our own")
            .folder
            .path()
    }

    /// A second connection to the services' database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.inside.as_ref().expect("services of our own").database
    }

    /// A forge with the ring's signing key.
    #[must_use]
    pub fn forge(&self) -> Forge {
        Forge::of_ring(&self.folder().join("jwt-keys.json"))
    }
}

/// Starts the two services and returns the error of the first that does not start.
///
/// # Errors
/// What an operator would read.
pub async fn services(options: &Options, folder: &Path, database_url: &str) -> Result<(), String> {
    Servers::start(options, folder, database_url)
        .await
        .map(drop)
}

/// The services' thread. Dropping it stops them, resource-api first, and waits for their end.
struct Servers {
    auth: SocketAddr,
    resource: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Servers {
    async fn start(options: &Options, folder: &Path, database_url: &str) -> Result<Self, String> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, started) = oneshot::channel();
        let (options, folder, url) = (options.clone(), folder.to_owned(), database_url.to_owned());
        // A thread and a runtime of their own: they outlive whatever the test's runtime goes through, a panic
        // included, and end in order.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(serve(&options, &folder, &url, ready, stopped));
        });
        match started.await.expect("the services' thread answers") {
            Ok((auth, resource)) => Ok(Self {
                auth,
                resource,
                stop: Some(stop),
                thread: Some(thread),
            }),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the services' thread panicked"
            );
        }
    }
}

type Ready = oneshot::Sender<Result<(SocketAddr, SocketAddr), String>>;

async fn serve(
    options: &Options,
    folder: &Path,
    url: &str,
    ready: Ready,
    stopped: oneshot::Receiver<()>,
) {
    let (auth, resource) = match bind(options, folder, url).await {
        Ok(both) => both,
        Err(error) => return drop(ready.send(Err(error))),
    };
    drop(ready.send(Ok((auth.addr(), resource.addr()))));
    let (end_auth, auth_ended) = oneshot::channel::<()>();
    let resource = async {
        let done = resource.run(async { drop(stopped.await) }).await;
        drop(end_auth);
        done
    };
    let (auth, resource) = tokio::join!(auth.run(async { drop(auth_ended.await) }), resource);
    auth.expect("auth-server ends well");
    resource.expect("resource-api ends well");
}

async fn bind(
    options: &Options,
    folder: &Path,
    url: &str,
) -> Result<(auth_server::Server, resource_api::Server), String> {
    let auth = auth_server::Server::bind(options.auth_settings(folder, url)?).await;
    let auth = auth.map_err(|error| error.to_string())?;
    let settings = options.resource_settings(folder, &format!("http://{}", auth.addr()))?;
    let resource = resource_api::Server::bind(settings)
        .await
        .map_err(|error| error.to_string())?;
    Ok((auth, resource))
}

/// A client that goes through no proxy and follows nothing.
pub(crate) fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    // Err: one of the services has installed the same one.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(std::time::Duration::from_mins(1))
        // Shorter than the services keep a silent connection, so that none is used while it is being closed.
        .pool_idle_timeout(std::time::Duration::from_secs(2))
        .user_agent("keyturn-e2e")
        .build()
        .expect("a client")
}
