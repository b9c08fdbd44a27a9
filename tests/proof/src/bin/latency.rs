//! `latency`: how long after a session has ended the APIs still take its token.
//!
//! From the answer to `DELETE /api/account/sessions/{id}`, or the end of the command, to the first
//! `token_revoked` of each resource-api; with one and with many of them, ended on the replica that they
//! follow, on another one, and by the command line. The same of a program's token from the answer of `/oauth/logout`,
//! and from there until the program is told. Exit code 1 only if some API never refuses, or the program never hears of it.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use proof::Fault;
use proof::client::{persist, said};
use proof::door::Door;
use proof::http::{Connection, Message};
use proof::machine;
use proof::pair::Pair;
use proof::processes::{Programs, free_address, told_to_stop};
use proof::stage::Account;
use proof::statistics::{Summary, milliseconds};
use rand::RngExt;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Measures the time from "ended" to "refused by the API".
#[derive(Parser)]
struct Options {
    /// Sessions ended in each way.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many resource-api servers follow the feed in the second half.
    #[arg(long, default_value_t = 20)]
    followers: usize,
    /// `sqlite` for a fresh file, or the postgres:// URL of a database for this alone.
    #[arg(long, default_value = "sqlite")]
    database: String,
}

/// The promise.
const PROMISED: Duration = Duration::from_secs(1);
/// After this it is never.
const NEVER: Duration = Duration::from_secs(10);
/// How often each API is asked: what is measured is at most this much too long.
const ASKED_EVERY: Duration = Duration::from_millis(10);

#[derive(Clone, Copy)]
enum Way {
    SameReplica,
    OtherReplica,
    CommandLine,
    LogOutPage,
}

struct Scene {
    programs: Programs,
    account: Account,
    /// The same user's way by the pages.
    browser: Account,
    receiver: Receiver,
    /// The replica that the APIs follow, and the other one.
    replicas: [SocketAddr; 2],
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let measured = tokio::select! {
        measured = measure(&options) => measured,
        () = told_to_stop() => Err("stopped before its time".into()),
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latency: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &Options) -> Result<(), Fault> {
    let kind = options.database.split(':').next().unwrap_or_default();
    println!(
        "latency: from \"ended\" to \"refused by the API\", {kind}, {} rounds each",
        options.rounds
    );
    println!("  on {}", machine::line());
    let data = tempfile::tempdir()?;
    let programs = Programs::find(data.path(), &options.database, &Door::Es256.settings()).await?;
    Door::Es256.prepare(&programs).await?;
    let receiver = Receiver::open().await?;
    let uri = format!("http://{}/", receiver.addr);
    let id = Door::Es256.client();
    programs
        .run(&["client", "set", id, "--backchannel", &uri])
        .await?;
    let (one, other) = (
        programs.auth_server(free_address()?).await?,
        programs.auth_server(free_address()?).await?,
    );
    let account = Account::register(one.addr).await?;
    let scene = Scene {
        browser: account.at(Door::Es256),
        account,
        receiver,
        replicas: [one.addr, other.addr],
        programs,
    };
    println!(
        "  {:<28}{:>10}{:>9}{:>9}{:>9}{:>9}  ms",
        "ended", "followers", "min", "p50", "p99", "max"
    );
    let mut worst = Duration::ZERO;
    let mut followers = Vec::new();
    for count in [1, options.followers] {
        while followers.len() < count {
            followers.push(
                scene
                    .programs
                    .resource_api(free_address()?, one.addr)
                    .await?,
            );
        }
        let apis: Vec<_> = followers.iter().map(|service| service.addr).collect();
        for (way, name) in [
            (Way::SameReplica, "through the API"),
            (Way::OtherReplica, "on another replica"),
            (Way::CommandLine, "by the command line"),
            (Way::LogOutPage, "by the log-out page"),
        ] {
            let (mut times, mut told) = (Vec::new(), Vec::new());
            for _ in 0..options.rounds {
                let round = scene.round(way, &apis).await?;
                times.extend(round.refused);
                told.extend(round.told);
            }
            worst = worst.max(line(name, count, times));
            worst = worst.max(line("  and its program is told", 1, told));
        }
    }
    let met = if worst < PROMISED { "met" } else { "NOT met" };
    println!("  p99 under {} ms: {met}", PROMISED.as_millis());
    Ok(())
}

/// Prints a line of the table, if there is anything for it, and gives its p99.
fn line(name: &str, count: usize, times: Vec<Duration>) -> Duration {
    let Some(Summary { min, p50, p99, max }) = Summary::of(times) else {
        return Duration::ZERO;
    };
    let [min, p50, p99_, max] = [min, p50, p99, max].map(milliseconds);
    println!("  {name:<28}{count:>10}{min:>9}{p50:>9}{p99_:>9}{max:>9}");
    p99
}

/// What one round measured.
struct Round {
    /// Of each API, until it refused.
    refused: Vec<Duration>,
    /// Until the program was told, where it is.
    told: Option<Duration>,
}

impl Scene {
    /// Ends one session, and gives the time that each API took to refuse it.
    async fn round(&self, way: Way, apis: &[SocketAddr]) -> Result<Round, Fault> {
        let (pair, leave) = self.begin(way).await?;
        let (ended, ending) = watch::channel(None);
        let mut watchers = JoinSet::new();
        for api in apis {
            watchers.spawn(refused_at(*api, pair.access.clone(), ending.clone()));
        }
        // The replicas look at the table in steps: no round may keep step with them.
        let pause = rand::rng().random_range(0..300);
        sleep(Duration::from_millis(50 + pause)).await;
        self.end(way, &pair, leave).await?;
        let end = Instant::now();
        ended.send_replace(Some(end));
        let mut times = Vec::new();
        while let Some(refused) = watchers.join_next().await {
            // An API may refuse before the answer has come back to us.
            times.push(refused??.saturating_duration_since(end));
        }
        let told = match way {
            Way::LogOutPage => Some(self.receiver.next().await?.saturating_duration_since(end)),
            _ => None,
        };
        Ok(Round {
            refused: times,
            told,
        })
    }

    /// Begins a session; and what ends it, where that is the log-out page.
    async fn begin(&self, way: Way) -> Result<(Pair, Option<Message>), Fault> {
        let Way::LogOutPage = way else {
            return Ok((self.account.log_in(self.replicas[0]).await?, None));
        };
        let (tokens, cookies) = self.browser.sign_in(self.replicas[0]).await?;
        let pair = Pair::of(&tokens).ok_or_else(|| format!("log-in: {}", said(Some(&tokens))))?;
        let path = format!("/oauth/logout?id_token_hint={}", tokens.text("id_token"));
        Ok((
            pair,
            Some(Message::request("GET", &path).with("cookie", cookies)),
        ))
    }

    async fn end(&self, way: Way, pair: &Pair, leave: Option<Message>) -> Result<(), Fault> {
        let id = pair.session().to_string();
        let replica = match way {
            Way::SameReplica => self.replicas[0],
            Way::OtherReplica => self.replicas[1],
            Way::CommandLine => {
                self.programs.run(&["sessions", "revoke", &id]).await?;
                return Ok(());
            }
            Way::LogOutPage => {
                let leave = leave.ok_or("nothing to leave by")?;
                return match persist(self.replicas[0], &leave).await {
                    Some(answer) if answer.status() == 200 => Ok(()),
                    answer => Err(format!("log-out: {}", said(answer.as_ref())).into()),
                };
            }
        };
        let path = format!("/api/account/sessions/{id}");
        let answer = persist(
            replica,
            &Message::request("DELETE", &path).bearer(&pair.access),
        )
        .await;
        match answer {
            Some(answer) if answer.status() == 204 => Ok(()),
            answer => Err(format!("DELETE {path}: {}", said(answer.as_ref())).into()),
        }
    }
}

/// The program's receiver of log-outs: notes when each came, and takes them all.
struct Receiver {
    addr: SocketAddr,
    came: Mutex<mpsc::UnboundedReceiver<Instant>>,
}

impl Receiver {
    async fn open() -> Result<Self, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let (note, came) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let note = note.clone();
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    if let Ok(Some(_)) = Message::read(&mut stream).await {
                        let _ = note.send(Instant::now());
                        let taken = b"HTTP/1.1 204 No Content\r\n\r\n";
                        let _ = stream.write_all(taken).await;
                    }
                });
            }
        });
        let came = Mutex::new(came);
        Ok(Self { addr, came })
    }

    async fn next(&self) -> Result<Instant, Fault> {
        let next = tokio::time::timeout(NEVER, async { self.came.lock().await.recv().await });
        next.await
            .ok()
            .flatten()
            .ok_or_else(|| "the program was not told".into())
    }
}

/// Calls an API until it says `token_revoked`.
async fn refused_at(
    api: SocketAddr,
    token: String,
    ended: watch::Receiver<Option<Instant>>,
) -> Result<Instant, Fault> {
    let call = Message::further("GET", "/api/home").bearer(&token).encode();
    let mut connection = Connection::open(api).await?;
    loop {
        let answer = connection.ask(&call).await?;
        match (answer.status(), answer.text("code").as_str()) {
            (200, _) => {}
            (401, "token_revoked") => return Ok(Instant::now()),
            _ => return Err(format!("the API: {}", said(Some(&answer))).into()),
        }
        if ended.borrow().is_some_and(|ended| ended.elapsed() > NEVER) {
            return Err(format!(
                "the API at {api} takes the token of a session that ended {NEVER:?} ago"
            )
            .into());
        }
        sleep(ASKED_EVERY).await;
    }
}
