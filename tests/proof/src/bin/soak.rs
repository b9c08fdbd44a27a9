//! `soak`: honest clients on a bad network while the server is killed again and again; with `--thief`, thieves.
//!
//! Exit code 0 if every promise held, else 1 and the story of each session for which it did not.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use proof::Fault;
use proof::client::{Client, Habit, Scene, Story};
use proof::door::Door;
use proof::faults::Counts;
use proof::machine;
use proof::processes::{Programs, Service, free_address, told_to_stop};
use proof::proxy::Proxy;
use proof::report::{Table, Trail};
use proof::stage::Account;
use proof::thief::{EXCHANGES, GRACE, Place, Plan, Theft};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Proves that nobody is logged out by accident: honest clients on a bad network, a server that is killed.
#[derive(Parser, Clone)]
struct Options {
    /// How long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Sessions at a time.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1000))]
    clients: u32,
    /// `sqlite` for a fresh file, or the postgres:// URL of a database for this alone.
    #[arg(long, default_value = "sqlite")]
    database: String,
    /// Makes the dice fall alike; what meets when still depends on the machine.
    #[arg(long)]
    seed: Option<u64>,
    /// Thieves instead of a bad network.
    #[arg(long)]
    thief: bool,
    /// As a public client at `/oauth/token`, instead of the account's own sessions.
    #[arg(long)]
    oauth: bool,
}

impl Options {
    fn door(&self) -> Door {
        if self.oauth {
            Door::OAuth
        } else {
            Door::Account
        }
    }
}

/// With a `REFRESH_GRACE` of 10s: delays less than that, sleeps longer.
const LONGEST_DELAY: Duration = Duration::from_secs(6);
const PAST_GRACE: Duration = Duration::from_millis(11_500);
/// How long a kill waits for a request.
const MOMENT: Duration = Duration::from_millis(200);
/// Clients that share an account.
const PER_ACCOUNT: usize = 8;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options
        .seed
        .unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    let done = async {
        let data = tempfile::tempdir()?;
        let promised = tokio::select! {
            done = async { if options.thief { thieves(&options, seed, data.path()).await } else { soak(&options, seed, data.path()).await } } => done?,
            () = told_to_stop() => return Err("stopped before its time".into()),
        };
        Ok::<_, Fault>(promised)
    };
    match done.await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn headline(options: &Options, seed: u64, what: &str) {
    let kind = options.database.split(':').next().unwrap_or_default();
    println!(
        "soak: {what}{}, {} s, {} clients, {kind}, seed {seed}",
        if options.oauth {
            " at /oauth/token"
        } else {
            ""
        },
        options.seconds,
        options.clients
    );
    println!("  on {}", machine::line());
}

async fn soak(options: &Options, seed: u64, data: &std::path::Path) -> Result<bool, Fault> {
    headline(options, seed, "bad network, killed server");
    let lives = [
        ("ACCESS_TOKEN_TTL", "2s"),
        ("REFRESH_GRACE", "10s"),
        ("MAX_SESSIONS_PER_USER", "10000"),
    ];
    let lives = [lives.as_slice(), &options.door().settings()].concat();
    let programs = Programs::find(data, &options.database, &lives).await?;
    options.door().prepare(&programs).await?;
    let service = programs.auth_server(free_address()?).await?;
    let direct = service.addr;
    let api = programs.resource_api(free_address()?, direct).await?;
    let counts = Arc::new(Counts::default());
    let lanes = options.clients as usize;
    let (end, stop) = watch::channel(false);
    let network = |to, seed| Proxy::start(to, lanes, LONGEST_DELAY, seed, Arc::clone(&counts));
    let scene = Arc::new(Scene {
        auth: network(direct, seed).await?,
        api: network(api.addr, !seed).await?,
        direct,
        past_grace: PAST_GRACE,
        counts: Arc::clone(&counts),
        begun: Instant::now(),
        stop,
    });
    let mut clients = Vec::new();
    let mut account = Account::register_at(direct, options.door()).await?;
    let mut tabs = JoinSet::new();
    for lane in 0..lanes {
        if lane % PER_ACCOUNT == PER_ACCOUNT - 1 {
            account = Account::register_at(direct, options.door()).await?;
        }
        let habit = match lane % 4 {
            1 => Habit::Tabs,
            3 => Habit::Sleeper,
            _ => Habit::Single,
        };
        let client = Client::new(lane, habit, account.clone(), scene.begun);
        for tab in 0..if habit == Habit::Tabs { 3 } else { 1 } {
            let dice = StdRng::seed_from_u64(seed ^ ((lane as u64) << 8 | tab as u64));
            tabs.spawn(Arc::clone(&client).tab(tab, Arc::clone(&scene), dice));
        }
        clients.push(client);
    }
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let service = kill_again_and_again(&programs, service, &counts, seed, until).await?;
    end.send_replace(true);
    tabs.join_all().await;
    // What the network still holds back comes, too, and may end nothing.
    sleep(LONGEST_DELAY).await;
    for client in &clients {
        client.check(&scene, api.addr).await;
    }
    service.kill().await?;

    let sessions: Vec<_> = clients
        .iter()
        .flat_map(|client| client.sessions())
        .collect();
    let stories: Vec<_> = clients.iter().flat_map(|client| client.stories()).collect();
    let trail = Trail::open(&programs).await?;
    Table::default()
        .line("sessions", sessions.len() as u64)
        .line("calls answered", counts.calls.get())
        .line("refreshes", counts.refreshes.get())
        .line("requests dropped", counts.dropped_requests.get())
        .line(
            "answers lost after the work was done",
            counts.lost_answers.get(),
        )
        .line("delayed", counts.delayed.get())
        .line("duplicated", counts.duplicates.get())
        .line("overtaken", counts.reordered.get())
        .line("kills (SIGKILL)", counts.kills.get())
        .line("requests cut off by a kill", counts.cut_off.get())
        .line("retries with the same pair", counts.retries.get())
        .line(
            "late retries",
            trail.count(&sessions, "late_retry", None).await?,
        )
        .line("superseded", counts.superseded.get())
        .line("log-outs", counts.log_outs.get())
        .line(
            "ended for reuse",
            trail
                .count(&sessions, "session_ended", Some("reuse"))
                .await?,
        )
        .line(
            "alive after an answered log-out",
            counts.alive_after_log_out.get(),
        )
        .line("sessions that died without a reason", stories.len() as u64)
        .print();
    tell(&trail, &programs, &stories).await?;
    Ok(stories.is_empty() && counts.refreshes.get() > 0)
}

/// Kills the server and starts it again until the time is over; gives the last one.
async fn kill_again_and_again(
    programs: &Programs,
    first: Service,
    counts: &Counts,
    seed: u64,
    until: Instant,
) -> Result<Service, Fault> {
    let mut dice = StdRng::seed_from_u64(seed.wrapping_mul(31));
    let mut service = first;
    loop {
        let lives = Duration::from_millis(dice.random_range(100..2000));
        if Instant::now() + lives > until {
            tokio::time::sleep_until(until).await;
            return Ok(service);
        }
        sleep(lives).await;
        // At the worst moment: while it works on something, before or after the commit.
        let _ = timeout(MOMENT, counts.under_way.notified()).await;
        sleep(Duration::from_micros(dice.random_range(0..4000))).await;
        let addr = service.addr;
        service.kill().await?;
        counts.kills.up();
        sleep(Duration::from_millis(dice.random_range(0..400))).await;
        service = programs.auth_server(addr).await?;
    }
}

async fn thieves(options: &Options, seed: u64, data: &std::path::Path) -> Result<bool, Fault> {
    headline(options, seed, "thieves");
    let lives = [
        ("ACCESS_TOKEN_TTL", "5m"),
        ("REFRESH_GRACE", GRACE),
        ("MAX_SESSIONS_PER_USER", "100000"),
    ];
    let lives = [lives.as_slice(), &options.door().settings()].concat();
    let programs = Programs::find(data, &options.database, &lives).await?;
    options.door().prepare(&programs).await?;
    let service = programs.auth_server(free_address()?).await?;
    let api = programs.resource_api(free_address()?, service.addr).await?;
    let place = Place {
        auth: service.addr,
        api: api.addr,
        door: options.door(),
    };
    let account = Account::register_at(service.addr, options.door()).await?;
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let mut bystanders = JoinSet::new();
    let mut gangs: JoinSet<Result<Vec<Theft>, Fault>> = JoinSet::new();
    for n in 0..u64::from(options.clients) {
        let account = account.clone();
        if n % 3 == 0 {
            bystanders.spawn(async move { place.bystander(&account, until).await });
            continue;
        }
        gangs.spawn(async move {
            let mut dice = StdRng::seed_from_u64(seed ^ n);
            let mut thefts = Vec::new();
            loop {
                thefts.push(place.theft(&account, Plan::of(&mut dice)).await?);
                if Instant::now() > until {
                    return Ok(thefts);
                }
            }
        });
    }
    let longest = Duration::from_secs(options.seconds + 120);
    let gangs = timeout(longest, gangs.join_all())
        .await
        .map_err(|_| "the thieves do not come to an end")?;
    let thefts: Vec<_> = gangs
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect();
    let spared = bystanders
        .join_all()
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let (nobodys, stolen) = (spared.len() as u64, thefts.len() as u64);
    let ended =
        |wanted: fn(&Theft) -> bool| thefts.iter().filter(|theft| wanted(theft)).count() as u64;
    let replays = |theft: &Theft| matches!(theft.plan, Plan::Replay(_));
    let innocent: Vec<Story> = spared.into_iter().flatten().collect();
    Table::default()
        .line("stolen sessions", stolen)
        .line(
            "  old token replayed",
            thefts.iter().filter(|theft| replays(theft)).count() as u64,
        )
        .line(
            "  ended at the first exchange",
            ended(|theft| theft.ended_at == Some(1)),
        )
        .line(
            "  ended at the second",
            ended(|theft| theft.ended_at == Some(2)),
        )
        .line(
            "  ended at the third",
            ended(|theft| theft.ended_at == Some(3)),
        )
        .line(
            "  ended at the fourth",
            ended(|theft| theft.ended_at == Some(EXCHANGES)),
        )
        .line(
            "  alive after that",
            ended(|theft| theft.ended_at.is_none()),
        )
        .line("other sessions of the same account", nobodys)
        .line("  ended", innocent.len() as u64)
        .print();
    let stories: Vec<Story> = thefts
        .into_iter()
        .flat_map(|theft| theft.stories)
        .chain(innocent)
        .collect();
    let trail = Trail::open(&programs).await?;
    tell(&trail, &programs, &stories).await?;
    Ok(stories.is_empty() && stolen > 0)
}

async fn tell(trail: &Trail, programs: &Programs, stories: &[Story]) -> Result<(), Fault> {
    const TOLD: usize = 20;
    for story in stories.iter().take(TOLD) {
        trail.tell(programs, story).await?;
    }
    if stories.len() > TOLD {
        println!("\n… and {} more", stories.len() - TOLD);
    }
    Ok(())
}
