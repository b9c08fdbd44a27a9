//! `refreshes`: how many a second, how long they take and what they cost the service and its database, for a few
//! numbers of clients; on PostgreSQL beside what `pgbench` gets from the same server with a bare statement.
//!
//! Everything runs on this machine and shares its cores, this program too. Figures of two machines do not compare, nor
//! do those of two runs; the ratios of one run do.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use proof::Fault;
use proof::client::said;
use proof::http::{Connection, Message};
use proof::machine;
use proof::pair::Pair;
use proof::postgres::Server;
use proof::processes::{Programs, Service, free_address, told_to_stop};
use proof::stage::Account;
use proof::statistics::{Summary, median, milliseconds};
use tokio::task::JoinSet;

/// Measures refreshes. Linux only.
#[derive(Parser)]
struct Options {
    /// Seconds of a block.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Blocks of each kind, in turn; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    blocks: u32,
    /// Clients at a time, each with a session of its own; several numbers, one after the other.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    clients: Vec<u32>,
    /// `sqlite` for a fresh file, or the postgres:// URL of a database for this alone.
    #[arg(long, default_value = "sqlite")]
    database: String,
}

/// What a block measured.
#[derive(Clone, Copy)]
struct Block {
    rate: f64,
    /// Microseconds of CPU time for each refresh.
    service: f64,
    database: f64,
    times: Summary,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    let measured = tokio::select! {
        measured = measure(&options) => measured,
        () = told_to_stop() => Err("stopped before its time".into()),
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("refreshes: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &Options) -> Result<(), Fault> {
    let time = Duration::from_secs(options.seconds);
    let kind = options.database.split(':').next().unwrap_or_default();
    println!(
        "refreshes on {kind}, median of {} blocks of {time:?}",
        options.blocks
    );
    println!("  on {}", machine::line());
    let server = match kind {
        "sqlite" => None,
        _ => Some(Server::of(&options.database)?),
    };
    let data = tempfile::tempdir()?;
    let lives = [("ACCESS_TOKEN_TTL", "1h")];
    let programs = Programs::find(data.path(), &options.database, &lives).await?;
    let auth = programs.auth_server(free_address()?).await?;
    let account = Account::register(auth.addr).await?;
    let mut pairs = Vec::new();
    for _ in 0..options.clients.iter().copied().max().unwrap_or_default() {
        pairs.push(account.log_in(auth.addr).await?);
    }
    if let Some(server) = &server {
        server.add_sessions()?;
        server.prepare_bench()?;
    }
    let mut blocks: Vec<Vec<Block>> = vec![Vec::new(); options.clients.len()];
    let mut bare = vec![Vec::new(); options.clients.len()];
    // The first round warms up.
    for round in 0..=options.blocks {
        for ((clients, blocks), bare) in options.clients.iter().zip(&mut blocks).zip(&mut bare) {
            let clients = usize::try_from(*clients)?;
            let mine = pairs
                .get_mut(..clients)
                .ok_or("more clients than sessions")?;
            let block = block(&auth, server.as_ref(), mine, time).await?;
            let figures = match &server {
                Some(server) => Some(server.bench(u32::try_from(clients)?, time).await?),
                None => None,
            };
            if round > 0 {
                blocks.push(block);
                bare.extend(figures);
            }
        }
    }
    println!(
        "  {:>7}{:>10}{:>12}{:>12}{:>9}{:>9}{:>12}{:>12}{:>8}",
        "clients",
        "rate 1/s",
        "service µs",
        "database µs",
        "p50 ms",
        "p99 ms",
        "pgbench 1/s",
        "its µs",
        "ratio"
    );
    for ((clients, blocks), bare) in options.clients.iter().zip(&blocks).zip(&bare) {
        let of = |figure: fn(&Block) -> f64| median(blocks.iter().map(figure));
        let time = |figure: fn(&Summary) -> Duration| {
            milliseconds(Duration::from_secs_f64(median(
                blocks
                    .iter()
                    .map(|block| figure(&block.times).as_secs_f64()),
            )))
        };
        print!(
            "  {clients:>7}{:>10.0}{:>12.1}{:>12.1} {} {}",
            of(|block| block.rate),
            of(|block| block.service),
            of(|block| block.database),
            time(|times| times.p50),
            time(|times| times.p99),
        );
        if !bare.is_empty() {
            let ratio = median(
                blocks
                    .iter()
                    .zip(bare)
                    .map(|(block, bare)| block.rate / bare.rate),
            );
            print!(
                "{:>12.0}{:>12.1}{ratio:>8.2}",
                median(bare.iter().map(|bare| bare.rate)),
                median(bare.iter().map(|bare| bare.cost)),
            );
        }
        println!();
    }
    Ok(())
}

/// Every client refreshes without a pause.
async fn block(
    auth: &Service,
    server: Option<&Server>,
    pairs: &mut [Pair],
    time: Duration,
) -> Result<Block, Fault> {
    let cpu = || -> Result<(u64, u64), Fault> {
        let database = server.map_or(Ok(0), Server::cpu_nanoseconds)?;
        Ok((machine::cpu_nanoseconds(auth.id())?, database))
    };
    let before = cpu()?;
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for (n, pair) in pairs.iter().cloned().enumerate() {
        let addr = auth.addr;
        clients.spawn(async move { Ok::<_, Fault>((n, refresh(addr, pair, began + time).await?)) });
    }
    let mut times = Vec::new();
    for done in clients.join_all().await {
        let (n, (pair, took)) = done?;
        times.extend(took);
        if let Some(place) = pairs.get_mut(n) {
            *place = pair;
        }
    }
    let took = began.elapsed().as_secs_f64();
    let after = cpu()?;
    let count = f64::from(u32::try_from(times.len())?);
    let each = |before: u64, after: u64| {
        Duration::from_nanos(after.saturating_sub(before)).as_secs_f64() * 1e6 / count
    };
    Ok(Block {
        rate: count / took,
        service: each(before.0, after.0),
        database: each(before.1, after.1),
        times: Summary::of(times).ok_or("no refresh was made")?,
    })
}

async fn refresh(
    auth: SocketAddr,
    mut pair: Pair,
    until: Instant,
) -> Result<(Pair, Vec<Duration>), Fault> {
    let mut connection = Connection::open(auth).await?;
    let mut times = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        let request = Message::further("POST", "/api/account/refresh-token").json(&pair.body());
        let answer = connection.ask(&request.encode()).await?;
        pair = Pair::of(&answer).ok_or_else(|| said(Some(&answer)))?;
        times.push(began.elapsed());
    }
    Ok((pair, times))
}
