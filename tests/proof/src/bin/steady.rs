//! `steady`: minutes of mixed traffic near capacity, through which neither memory nor latency climbs.
//!
//! It measures for a moment how much the machine can do, this program's own work included, and then does four
//! fifths of that. Exit code 1 if anything came out otherwise than it must.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use proof::Fault;
use proof::filling::{expired, signer};
use proof::http::{Message, exchange};
use proof::load::median;
use proof::machine::{self, mib};
use proof::mixed::{Client, Kind, Tally};
use proof::processes::{Programs, Service, free_address, told_to_stop};
use proof::statistics::Summary;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Runs mixed traffic at four fifths of what the machine can do. Linux only.
#[derive(Parser)]
struct Options {
    /// How long.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    /// Clients at a time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1000))]
    clients: u32,
    /// The share of its capacity that the machine is given to do, in per cent.
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..=100))]
    load: u32,
    /// `sqlite` for a fresh file, or the postgres:// URL of a database for this alone.
    #[arg(long, default_value = "sqlite")]
    database: String,
    /// Moments instead of minutes, and few clients, to see that it works; the figures mean nothing.
    #[arg(long)]
    quick: bool,
}

/// How long capacity is measured, after a third as long to warm up.
const TRIAL: Duration = Duration::from_secs(15);
/// Latency may rise by this much, and memory too, before it is said to climb: two runs differ by half of it.
const SLACK: f64 = 1.2;
/// Memory that comes and goes by itself.
const SLACK_BYTES: f64 = 2_097_152.0;
/// Bytes that a service keeps for each session that has ended, until no token of it can live any more: two hours.
const PER_ENDING: f64 = 400.0;
/// Faults that are told.
const TOLD: usize = 10;

#[tokio::main]
async fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.quick {
        options.clients = options.clients.min(8);
    }
    let done = tokio::select! {
        done = run(&options) => done,
        () = told_to_stop() => Err("stopped before its time".into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("steady: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A minute.
struct Minute {
    /// p50 and p99 of each kind, in milliseconds.
    latency: Vec<[f64; 2]>,
    /// Bytes of auth-server and of resource-api.
    resident: [f64; 2],
    /// Sessions that the feed names.
    endings: f64,
}

async fn run(options: &Options) -> Result<bool, Fault> {
    let kind = options.database.split(':').next().unwrap_or_default();
    let (minute, trial, minutes) = if options.quick {
        (Duration::from_millis(500), Duration::from_millis(500), 3)
    } else {
        (Duration::from_mins(1), TRIAL, options.minutes)
    };
    println!(
        "steady: {minutes} times {} s, {} clients, {kind}",
        minute.as_secs_f64(),
        options.clients
    );
    println!("  on {}", machine::line());
    let data = tempfile::tempdir()?;
    let lives = [
        ("ACCESS_TOKEN_TTL", "1h"),
        ("MAX_SESSIONS_PER_USER", "1000"),
    ];
    let programs = Programs::find(data.path(), &options.database, &lives).await?;
    let auth = programs.auth_server(free_address()?).await?;
    let api = programs.resource_api(free_address()?, auth.addr).await?;
    let stale = expired(&signer(data.path())?)?;
    let mut clients = Vec::new();
    for seed in 0..u64::from(options.clients) {
        clients.push(Client::new(auth.addr, api.addr, &stale, seed).await?);
    }
    let tallies: Vec<_> = clients.iter().map(Client::tally).collect();

    let clients = work(clients, None, Instant::now() + trial / 3).await;
    gathered(&tallies);
    let clients = work(clients, None, Instant::now() + trial).await;
    let done = gathered(&tallies);
    let capacity = f64::from(u32::try_from(done.times.len())?) / trial.as_secs_f64();
    let rate = capacity * f64::from(options.load) / 100.0;
    println!("  capacity {capacity:.0} requests a second; from now on {rate:.0}\n");
    let mut faults = done.faults;

    let begun = Instant::now();
    let pace = Duration::from_secs_f64(f64::from(options.clients) / rate);
    let working = tokio::spawn(work(clients, Some(pace), begun + minute * minutes));
    header();
    let mut all = Vec::new();
    for n in 1..=minutes {
        sleep_until(begun + minute * n).await;
        let tally = gathered(&tallies);
        all.push(line(n, &tally, [&auth, &api]).await?);
        faults.extend(tally.faults);
    }
    working.await?;
    faults.extend(gathered(&tallies).faults);
    compare(&all);
    for fault in faults.iter().take(TOLD) {
        println!("unexpected: {fault}");
    }
    println!("unexpected answers: {}", faults.len());
    Ok(faults.is_empty())
}

async fn work(clients: Vec<Client>, pace: Option<Duration>, until: Instant) -> Vec<Client> {
    let mut working = JoinSet::new();
    for mut client in clients {
        working.spawn(async move {
            client.work(pace, until).await;
            client
        });
    }
    working.join_all().await
}

fn gathered(tallies: &[Arc<Mutex<Tally>>]) -> Tally {
    let mut sum = Tally::default();
    for tally in tallies {
        let taken = std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner));
        sum.add(taken);
    }
    sum
}

fn header() {
    let kinds = Kind::ALL.map(|kind| format!(" {} p50 / p99 |", kind.name()));
    let kinds = kinds.concat();
    println!(
        "| minute | requests | unexpected |{kinds} auth-server MiB | resource-api MiB | endings |"
    );
    println!(
        "|--:|--:|--:|{}--:|--:|--:|",
        "--:|".repeat(Kind::ALL.len())
    );
}

async fn line(n: u32, tally: &Tally, services: [&Service; 2]) -> Result<Minute, Fault> {
    let [auth, api] = services;
    let mut latency = Vec::new();
    let mut told = Vec::new();
    for kind in Kind::ALL {
        let [p50, p99] = Summary::of(tally.of(kind)).map_or([f64::NAN; 2], |it| {
            [it.p50, it.p99].map(|time| time.as_secs_f64() * 1000.0)
        });
        told.push(format!(" {p50:.2} / {p99:.1} |"));
        latency.push([p50, p99]);
    }
    let resident = [machine::resident(auth.id())?, machine::resident(api.id())?];
    let endings = endings(auth).await?;
    println!(
        "| {n} | {} | {} |{} {} | {} | {endings} |",
        tally.times.len(),
        tally.faults.len(),
        told.concat(),
        mib(resident[0]),
        mib(resident[1]),
    );
    Ok(Minute {
        latency,
        resident: [float(resident[0]), float(resident[1])],
        endings: f64::from(endings),
    })
}

fn float(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX)) * 1024.0
}

/// How many ended sessions the feed of auth-server names.
async fn endings(auth: &Service) -> Result<u32, Fault> {
    let metrics = Message::request("GET", "/metrics");
    let answer = exchange(auth.addr, &metrics, Duration::from_secs(10)).await?;
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    let value = body
        .lines()
        .find_map(|line| line.strip_prefix("keyturn_feed_entries"))
        .and_then(|rest| rest.rsplit(' ').next()?.parse().ok());
    Ok(value.ok_or("the metrics do not say how many sessions have ended")?)
}

/// Says of latency and memory whether the last third is above the first.
fn compare(minutes: &[Minute]) {
    let third = minutes.len().div_ceil(3);
    let of = |figure: &dyn Fn(&Minute) -> f64| {
        let first = median(minutes.iter().take(third).map(figure));
        let last = median(minutes.iter().rev().take(third).map(figure));
        (first, last)
    };
    println!("\nThe last third against the first:");
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        for (which, name) in ["p50", "p99"].into_iter().enumerate() {
            let (first, last) = of(&|minute| {
                let figures = minute.latency.get(at).and_then(|it| it.get(which));
                figures.copied().unwrap_or(f64::NAN)
            });
            if first.is_nan() || last.is_nan() {
                continue;
            }
            let judged = if last > first * SLACK {
                "climbed"
            } else {
                "flat"
            };
            println!(
                "  {:<16}{name} {first:8.2} ms, {last:8.2} ms: {judged}",
                kind.name()
            );
        }
    }
    let (first_endings, endings) = of(&|minute| minute.endings);
    for (at, name) in ["auth-server", "resource-api"].into_iter().enumerate() {
        let (first, last) = of(&|minute| minute.resident.get(at).copied().unwrap_or_default());
        let more = last - first;
        let known = (endings - first_endings).max(0.0);
        let judged = if more > SLACK_BYTES + known * PER_ENDING {
            "climbed"
        } else {
            "flat"
        };
        println!(
            "  {name:<16}{:8.1} MiB, {:8.1} MiB, {known:.0} endings more to remember: {judged}",
            first / 1_048_576.0,
            last / 1_048_576.0
        );
    }
}
