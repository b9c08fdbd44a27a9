//! `bench`: CPU time per request, of a protected endpoint against an open one, and of refreshes at both doors.
//!
//! CPU time of the server's process, not time on the clock: it depends neither on the network nor on this
//! program, and little on what else the machine does. Read from `/proc`, so on Linux only. Figures of two
//! machines do not compare; the ratios of one run do.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use proof::Fault;
use proof::client::said;
use proof::door::Door;
use proof::http::{Connection, Message};
use proof::machine;
use proof::pair::Pair;
use proof::processes::{Programs, Service, free_address, told_to_stop};
use proof::stage::Account;
use proof::statistics::median;
use tokio::task::JoinSet;

/// Measures CPU time per request. Linux only.
#[derive(Parser)]
struct Options {
    /// Requests in a block.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..))]
    requests: u32,
    /// Blocks of each kind, in turn; the median counts.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    blocks: u32,
    /// `sqlite` for a fresh file, or the postgres:// URL of a database for this alone.
    #[arg(long, default_value = "sqlite")]
    database: String,
}

/// Connections at a time.
const CONNECTIONS: u32 = 8;
/// One refresh costs a commit; a block has this much fewer of them.
const FEWER_REFRESHES: u32 = 5;

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
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &Options) -> Result<(), Fault> {
    let kind = options.database.split(':').next().unwrap_or_default();
    println!(
        "bench: CPU time per request, {CONNECTIONS} connections, median of {} blocks, {kind}",
        options.blocks
    );
    println!("  on {}", machine::line());
    let data = tempfile::tempdir()?;
    let lives = [("ACCESS_TOKEN_TTL", "1h"), ("OAUTH", "on")];
    let programs = Programs::find(data.path(), &options.database, &lives).await?;
    Door::OAuth.prepare(&programs).await?;
    let auth = programs.auth_server(free_address()?).await?;
    let api = programs.resource_api(free_address()?, auth.addr).await?;
    let mut doors = Vec::new();
    for door in [Door::Account, Door::OAuth, Door::Es256, Door::Rs256] {
        let account = Account::register_at(auth.addr, door).await?;
        let mut pairs = Vec::new();
        for _ in 0..CONNECTIONS {
            pairs.push(account.log_in(auth.addr).await?);
        }
        doors.push((door, pairs));
    }
    let first = doors.first().and_then(|(_, pairs)| pairs.first());
    let token = first.map(|pair| pair.access.clone()).unwrap_or_default();
    let open = Message::further("GET", "/healthz").encode();
    let protected = Message::further("GET", "/api/home").bearer(&token).encode();
    let question = Message::further("GET", "/verify").bearer(&token).encode();
    let mut rounds = Vec::new();
    for _ in 0..=options.blocks {
        let (many, few) = (options.requests, options.requests / FEWER_REFRESHES);
        let open = cost(&api, many, ask_often(api.addr, &open, many)).await?;
        let protected = cost(&api, many, ask_often(api.addr, &protected, many)).await?;
        let question = cost(&api, many, ask_often(api.addr, &question, many)).await?;
        let mut round = vec![open, protected, question];
        for (door, pairs) in &mut doors {
            let work = refresh_often(auth.addr, *door, pairs, few);
            round.push(cost(&auth, few, work).await?);
        }
        rounds.push(round);
    }
    // The first round warmed up.
    rounds.remove(0);
    println!("  {:<44}{:>10}{:>10}", "", "µs", "ratio");
    for (at, name) in [
        "resource-api, open (/healthz)",
        "resource-api, protected (/api/home)",
        "resource-api, a proxy's question (/verify)",
        "auth-server, refresh of the account",
        "auth-server, refresh at /oauth/token",
        "  with an id_token, ES256",
        "  with an id_token, RS256",
    ]
    .iter()
    .enumerate()
    {
        let cost = median(rounds.iter().filter_map(|round| round.get(at).copied()));
        // Within a round, since the machine may be busier in another.
        let ratio = median(
            rounds
                .iter()
                .filter_map(|round| Some(round.get(at)? / round.first()?)),
        );
        println!("  {name:<44}{cost:>10.1}{ratio:>10.2}");
    }
    Ok(())
}

/// Microseconds of the service's CPU time that each of the requests took.
async fn cost(
    service: &Service,
    requests: u32,
    work: impl Future<Output = Result<(), Fault>>,
) -> Result<f64, Fault> {
    let before = machine::cpu_nanoseconds(service.id())?;
    work.await?;
    let used = machine::cpu_nanoseconds(service.id())?.saturating_sub(before);
    let used = u32::try_from(used / 1000)?;
    Ok(f64::from(used) / f64::from(requests))
}

async fn ask_often(to: SocketAddr, request: &[u8], requests: u32) -> Result<(), Fault> {
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let request = request.to_vec();
        connections.spawn(async move {
            let mut connection = Connection::open(to).await?;
            for _ in 0..requests / CONNECTIONS {
                let answer = connection.ask(&request).await?;
                if answer.status() != 200 {
                    return Err(said(Some(&answer)).into());
                }
            }
            Ok::<_, Fault>(())
        });
    }
    connections.join_all().await.into_iter().collect()
}

async fn refresh_often(
    auth: SocketAddr,
    door: Door,
    pairs: &mut [Pair],
    requests: u32,
) -> Result<(), Fault> {
    let mut clients = JoinSet::new();
    for (n, pair) in pairs.iter().cloned().enumerate() {
        clients.spawn(async move {
            let mut pair = pair;
            let mut connection = Connection::open(auth).await?;
            for _ in 0..requests / CONNECTIONS {
                let mut refresh = door.refresh(&pair);
                refresh.headers.retain(|(name, _)| name != "connection");
                let answer = connection.ask(&refresh.encode()).await?;
                pair = Pair::of(&answer).ok_or_else(|| said(Some(&answer)))?;
            }
            Ok::<_, Fault>((n, pair))
        });
    }
    for done in clients.join_all().await {
        let (n, fresh) = done?;
        if let Some(pair) = pairs.get_mut(n) {
            *pair = fresh;
        }
    }
    Ok(())
}
