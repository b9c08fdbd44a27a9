//! `login-timing`: whether a failed log-in tells if the account exists.
//!
//! Log-ins for accounts that exist, with a wrong password, and for accounts that do not, in turn and in random
//! order, against a real server with its limits on; few enough for each account that none is delayed. Compares
//! the medians of the times, and every answer, header by header. Exit code 1 only if answers differ.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use proof::Fault;
use proof::http::{Connection, Message};
use proof::machine;
use proof::processes::{Programs, free_address, told_to_stop};
use proof::stage::Account;
use proof::statistics::{Summary, milliseconds};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Measures failed log-ins for accounts that exist and for accounts that do not.
#[derive(Parser)]
struct Options {
    /// Log-ins of each kind.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..))]
    rounds: u32,
    /// `sqlite` for a fresh file, or the postgres:// URL of a database for this alone.
    #[arg(long, default_value = "sqlite")]
    database: String,
}

/// The promise: medians differ by less than this, in percent.
const PROMISED: f64 = 5.0;
/// Failures of one account that begin no delay.
const FREE: u32 = 4;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let measured = tokio::select! {
        measured = measure(&options) => measured,
        () = told_to_stop() => Err("stopped before its time".into()),
    };
    match measured {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("login-timing: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints, and says whether all answers were alike.
async fn measure(options: &Options) -> Result<bool, Fault> {
    let kind = options.database.split(':').next().unwrap_or_default();
    let rounds = options.rounds;
    println!("login-timing: failed log-ins, {kind}, {rounds} of each kind in random order");
    println!("  on {}", machine::line());
    let data = tempfile::tempdir()?;
    let limits = [("LOGIN_LIMITS", "on")];
    let programs = Programs::find(data.path(), &options.database, &limits).await?;
    let service = programs.auth_server(free_address()?).await?;
    let mut attempts = Vec::new();
    for n in 0..rounds.div_ceil(FREE) {
        let account = Account::register(service.addr).await?;
        // Some have sessions, whose addresses are looked at.
        for _ in 0..n % 3 {
            account.log_in(service.addr).await?;
        }
        let nobody = format!("proof-{:016x}@example.com", rand::rng().random::<u64>());
        for _ in 0..FREE {
            attempts.push((true, account.email.clone()));
            attempts.push((false, nobody.clone()));
        }
    }
    shuffle(&mut attempts);
    let mut connection = Connection::open(service.addr).await?;
    // The first few warm up what is to be warmed up.
    for _ in 0..10 {
        let email = format!("warm-{:016x}@example.com", rand::rng().random::<u64>());
        connection.ask(&attempt(&email)).await?;
    }
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    let mut forms = BTreeSet::new();
    for (exists, email) in attempts {
        let request = attempt(&email);
        let asked = Instant::now();
        let answer = connection.ask(&request).await?;
        if exists { &mut known } else { &mut unknown }.push(asked.elapsed());
        forms.insert((form(&answer), exists));
    }
    report(known, unknown);
    let distinct: BTreeSet<&String> = forms.iter().map(|(form, _)| form).collect();
    let alike = distinct.len() == 1 && forms.len() == 2;
    if let (true, Some(form)) = (alike, distinct.first()) {
        println!(
            "  all answers are alike: {}",
            form.lines().next().unwrap_or_default()
        );
    } else {
        println!("  answers DIFFER:");
        for (form, exists) in &forms {
            println!("  account exists: {exists}\n{form}");
        }
    }
    Ok(alike)
}

fn report(known: Vec<Duration>, unknown: Vec<Duration>) {
    println!(
        "  {:<28}{:>9}{:>9}{:>9}{:>9}  ms",
        "", "min", "p50", "p99", "max"
    );
    let mut medians = Vec::new();
    for (name, times) in [
        ("the account exists", known),
        ("there is no such account", unknown),
    ] {
        let Some(Summary { min, p50, p99, max }) = Summary::of(times) else {
            return;
        };
        medians.push(p50.as_secs_f64());
        let [min, p50, p99, max] = [min, p50, p99, max].map(milliseconds);
        println!("  {name:<28}{min:>9}{p50:>9}{p99:>9}{max:>9}");
    }
    if let [known, unknown] = medians.as_slice() {
        let percent = (known - unknown).abs() / known.min(*unknown) * 100.0;
        let met = if percent < PROMISED { "met" } else { "NOT met" };
        println!("  the medians differ by {percent:.2} %; less than {PROMISED} %: {met}");
    }
}

fn attempt(email: &str) -> Vec<u8> {
    Message::further("POST", "/api/account/login")
        .json(&json!({"email": email, "password": "not the password"}))
        .encode()
}

/// All of an answer but what is another at every request.
fn form(answer: &Message) -> String {
    let mut body = answer.value();
    if let Some(id) = body.get_mut("requestId") {
        *id = Value::String(format!("{} characters", id.as_str().map_or(0, str::len)));
    }
    let headers = answer
        .headers
        .iter()
        .map(|(name, value)| match name.as_str() {
            "date" => "date\n".to_owned(),
            "x-request-id" => format!("x-request-id: {} characters\n", value.len()),
            name => format!("{name}: {value}\n"),
        });
    // Their order is a matter of a hash map.
    let headers: BTreeSet<String> = headers.collect();
    let headers: String = headers.into_iter().collect();
    format!("{}\n{headers}{body}", answer.first)
}

fn shuffle<T>(items: &mut [T]) {
    let mut dice = rand::rng();
    for at in (1..items.len()).rev() {
        items.swap(at, dice.random_range(0..=at));
    }
}
