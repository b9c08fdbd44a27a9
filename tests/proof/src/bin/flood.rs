//! `flood`: what a flood of log-ins does to those who only refresh, and how many log-ins there are a second.
//!
//! A few refreshes a second, each timed, alone and beside clients that log in without a pause. Everything runs on this
//! machine and shares its cores, this program too; the ratios of one run compare, other figures do not.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;
use proof::Fault;
use proof::client::said;
use proof::http::{Connection, Message};
use proof::machine;
use proof::pair::Pair;
use proof::processes::{Programs, Service, free_address, told_to_stop};
use proof::stage::Account;
use proof::statistics::{Summary, median, milliseconds};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Measures refreshes beside log-ins. Linux only.
#[derive(Parser)]
struct Options {
    /// Seconds of a block.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Blocks of each kind, in turn; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    blocks: u32,
    /// Refreshes a second.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Clients that log in without a pause.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=16))]
    clients: u32,
    /// `sqlite` for a fresh file, or the postgres:// URL of a database for this alone.
    #[arg(long, default_value = "sqlite")]
    database: String,
}

/// What a block measured.
struct Block {
    refreshes: Summary,
    log_ins: f64,
    /// Milliseconds of CPU time of the service for each log-in, refreshes included.
    cost: f64,
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
            eprintln!("flood: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &Options) -> Result<(), Fault> {
    let kind = options.database.split(':').next().unwrap_or_default();
    println!(
        "flood: {} refreshes a second beside {} clients that log in, {kind}, median of {} blocks of {} s",
        options.rate, options.clients, options.blocks, options.seconds
    );
    println!("  on {}", machine::line());
    let data = tempfile::tempdir()?;
    let programs = Programs::find(data.path(), &options.database, &[]).await?;
    let auth = programs.auth_server(free_address()?).await?;
    let mut accounts = Vec::new();
    for _ in 0..options.clients {
        accounts.push(Account::register(auth.addr).await?);
    }
    let account = Account::register(auth.addr).await?;
    let mut pair = account.log_in(auth.addr).await?;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    // The first round warms up.
    for round in 0..=options.blocks {
        for flood in [false, true] {
            let guests: &[Account] = if flood { &accounts } else { &[] };
            let (block, next) = block(&auth, pair, guests, options).await?;
            pair = next;
            if round > 0 {
                if flood { &mut beside } else { &mut alone }.push(block);
            }
        }
    }
    let time = |blocks: &[Block], figure: fn(&Summary) -> Duration| {
        median(
            blocks
                .iter()
                .map(|block| figure(&block.refreshes).as_secs_f64()),
        )
    };
    println!(
        "  {:<24}{:>10}{:>10}{:>14}{:>14}",
        "", "p50 ms", "p99 ms", "log-ins 1/s", "CPU ms each"
    );
    for (name, blocks) in [("refreshes alone", &alone), ("beside log-ins", &beside)] {
        print!(
            "  {name:<24}  {}  {}",
            milliseconds(Duration::from_secs_f64(time(blocks, |times| times.p50))),
            milliseconds(Duration::from_secs_f64(time(blocks, |times| times.p99))),
        );
        if blocks.iter().any(|block| block.log_ins > 0.0) {
            print!(
                "{:>14.0}{:>14.1}",
                median(blocks.iter().map(|block| block.log_ins)),
                median(blocks.iter().map(|block| block.cost)),
            );
        }
        println!();
    }
    let ratio = median(alone.iter().zip(&beside).map(|(alone, beside)| {
        beside.refreshes.p99.as_secs_f64() / alone.refreshes.p99.as_secs_f64()
    }));
    println!("  p99 beside log-ins is {ratio:.1} times that alone");
    Ok(())
}

async fn block(
    auth: &Service,
    pair: Pair,
    guests: &[Account],
    options: &Options,
) -> Result<(Block, Pair), Fault> {
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let made = Arc::new(AtomicU64::new(0));
    let before = machine::cpu_nanoseconds(auth.id())?;
    let mut clients = JoinSet::new();
    for account in guests {
        let (account, made, addr) = (account.clone(), Arc::clone(&made), auth.addr);
        clients.spawn(async move {
            while Instant::now() < until {
                account.log_in(addr).await?;
                made.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Fault>(())
        });
    }
    let every = Duration::from_secs(1) / options.rate;
    let (times, pair) = refresh(auth.addr, pair, every, until).await?;
    let log_ins = f64::from(u32::try_from(made.load(Ordering::Relaxed))?);
    let used = machine::cpu_nanoseconds(auth.id())?.saturating_sub(before);
    clients
        .join_all()
        .await
        .into_iter()
        .collect::<Result<(), _>>()?;
    let block = Block {
        refreshes: Summary::of(times).ok_or("no refresh was made")?,
        log_ins: log_ins / Duration::from_secs(options.seconds).as_secs_f64(),
        cost: Duration::from_nanos(used).as_secs_f64() * 1e3 / log_ins.max(1.0),
    };
    Ok((block, pair))
}

/// One after the other, in step with the clock; what is late is made at once, and its time counts from when it was due.
async fn refresh(
    auth: SocketAddr,
    mut pair: Pair,
    every: Duration,
    until: Instant,
) -> Result<(Vec<Duration>, Pair), Fault> {
    let mut connection = Connection::open(auth).await?;
    let mut steps = interval(every);
    steps.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut times = Vec::new();
    while Instant::now() < until {
        let due = steps.tick().await;
        let request = Message::further("POST", "/api/account/refresh-token").json(&pair.body());
        let answer = connection.ask(&request.encode()).await?;
        pair = Pair::of(&answer).ok_or_else(|| said(Some(&answer)))?;
        times.push(due.elapsed());
    }
    Ok((times, pair))
}
