//! `footprint`: how large the programs are, how soon they are ready, how much memory they keep.
//!
//! Prints a Markdown table. Read from `/proc`, so on Linux only.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use proof::Fault;
use proof::client::said;
use proof::http::{Connection, Message};
use proof::load::Turning;
use proof::machine::{self, mib};
use proof::processes::{Programs, free_address, told_to_stop};
use proof::stage::Account;
use proof::statistics::{Summary, milliseconds};
use tokio::task::JoinSet;

/// Measures sizes, starts and memory of the programs. Linux only.
#[derive(Parser)]
struct Options {
    /// Requests after which memory is looked at again.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..))]
    requests: u32,
    /// Starts of each program; the median counts.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,
    /// Next to nothing of everything, to see that it works; the figures mean nothing.
    #[arg(long)]
    quick: bool,
}

/// Connections at a time.
const CONNECTIONS: u32 = 16;
/// Log-ins after which memory is looked at: each thread that hashes keeps what one hash takes.
const LOG_INS: u32 = 100;

#[tokio::main]
async fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.quick {
        (options.requests, options.starts) = (200, 2);
    }
    let measured = tokio::select! {
        measured = measure(&options) => measured,
        () = told_to_stop() => Err("stopped before its time".into()),
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("footprint: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &Options) -> Result<(), Fault> {
    println!("footprint: SQLite, on {}\n", machine::line());
    let data = tempfile::tempdir()?;
    let programs = Programs::find(data.path(), "sqlite", &[("ACCESS_TOKEN_TTL", "1h")]).await?;
    let size = |name| std::fs::metadata(programs.file(name)).map(|data| mib(data.len()));
    // The first start makes the database.
    let (first, fresh) = programs.time_auth_server(free_address()?).await?;
    first.kill().await?;
    let mut starts = [Vec::new(), Vec::new()];
    for _ in 0..options.starts {
        let [auth_starts, api_starts] = &mut starts;
        let (auth, took) = programs.time_auth_server(free_address()?).await?;
        auth_starts.push(took);
        let (api, took) = programs
            .time_resource_api(free_address()?, auth.addr)
            .await?;
        api_starts.push(took);
        api.kill().await?;
        auth.kill().await?;
    }
    let [auth_start, api_start] = starts.map(|times| Summary::of(times).map(|it| it.p50));
    let start = |it: Option<Duration>| milliseconds(it.unwrap_or_default()).trim().to_owned();

    let auth = programs.auth_server(free_address()?).await?;
    let api = programs.resource_api(free_address()?, auth.addr).await?;
    let at_start = [machine::resident(auth.id())?, machine::resident(api.id())?];
    let account = Account::register(auth.addr).await?;
    let mut pairs = Vec::new();
    for _ in 0..CONNECTIONS {
        pairs.push(account.log_in(auth.addr).await?);
    }
    let access = pairs.first().ok_or("no session")?.access.clone();
    let before = machine::resident(auth.id())?;
    Turning::new(pairs, CONNECTIONS as usize)
        .refresh(auth.addr, options.requests)
        .await?;
    call(api.addr, &access, options.requests).await?;
    let after = [machine::resident(auth.id())?, machine::resident(api.id())?];
    let mut log_ins = JoinSet::new();
    let count = if options.quick { 4 } else { LOG_INS };
    for _ in 0..count {
        let account = account.clone();
        log_ins.spawn(async move { account.log_in(auth.addr).await });
        if log_ins.len() >= 8 {
            log_ins.join_next().await.ok_or("nobody logs in")???;
        }
    }
    log_ins
        .join_all()
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let logged_in = machine::resident(auth.id())?;
    println!("| | auth-server | resource-api |\n|---|--:|--:|");
    println!(
        "| binary, MiB | {} | {} |",
        size("auth-server")?,
        size("resource-api")?
    );
    println!(
        "| exec to ready, ms, median of {} | {} | {} |",
        options.starts,
        start(auth_start),
        start(api_start)
    );
    println!(
        "| the same where the database is made first, ms | {} | |",
        start(Some(fresh))
    );
    println!(
        "| resident after start, MiB | {} | {} |",
        mib(at_start[0]),
        mib(at_start[1])
    );
    println!(
        "| after {CONNECTIONS} log-ins one after another | {} | |",
        mib(before)
    );
    println!(
        "| after {} requests ({CONNECTIONS} connections) | {} | {} |",
        options.requests,
        mib(after[0]),
        mib(after[1])
    );
    println!(
        "| after {count} log-ins, 8 at a time | {} | |",
        mib(logged_in)
    );
    Ok(())
}

async fn call(api: SocketAddr, access: &str, requests: u32) -> Result<(), Fault> {
    let request = Message::further("GET", "/api/home").bearer(access).encode();
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let request = request.clone();
        connections.spawn(async move {
            let mut connection = Connection::open(api).await?;
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
