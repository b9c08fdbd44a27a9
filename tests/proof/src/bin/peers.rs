//! `peers`: CPU time per request and requests per second of Keyturn, and of what a user would pick instead.
//!
//! All are driven with the same load, in turn, in one run on one machine: a block for each, again and again. CPU time
//! is that of the server's processes, from `/proc`, so on Linux only. What the peers do not do for it is said in
//! `bench/peers/README.md`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use proof::Fault;
use proof::machine;
use proof::peers::kind::Kind;
use proof::peers::load::{Client, Subject};
use proof::peers::picture;
use proof::peers::process::Peer;
use proof::peers::table::Table;
use proof::peers::tokens::Tokens;
use proof::processes::{Programs, Service, free_address, told_to_stop};
use proof::stage::Account;

/// What the process ends with when it measured, but not every peer.
const SKIPPED: u8 = 3;

/// Measures Keyturn beside its peers. Linux only. Ends with 3 when a peer had to be skipped.
#[derive(Parser)]
struct Options {
    /// Seconds of a block.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=600))]
    seconds: u16,
    /// Blocks of each, in turn; the median counts.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..=1000))]
    blocks: u16,
    /// Connections at a time, each with one request in flight.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Keyturn's database: `sqlite` for a fresh file, or the postgres:// URL of one for this alone, whose own CPU time is
    /// not counted.
    #[arg(long, default_value = "sqlite")]
    database: String,
    /// Draws each table into this folder, as SVG.
    #[arg(long)]
    picture: Option<PathBuf>,
    /// One tiny block of each: whether everything starts and answers. The figures mean nothing.
    #[arg(long)]
    quick: bool,
}

impl Options {
    fn block(&self) -> Duration {
        if self.quick {
            Duration::from_millis(100)
        } else {
            Duration::from_secs(self.seconds.into())
        }
    }

    fn rounds(&self) -> u16 {
        if self.quick { 1 } else { self.blocks }
    }

    fn clients(&self, client: &Client) -> Vec<Client> {
        vec![client.clone(); self.connections.into()]
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let measured = tokio::select! {
        measured = measure(&options) => measured,
        () = told_to_stop() => Err("stopped before its time".into()),
    };
    match measured {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(SKIPPED),
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the tables, and gives how many peers were skipped.
async fn measure(options: &Options) -> Result<usize, Fault> {
    let data = tempfile::tempdir()?;
    let programs = Programs::find(data.path(), &options.database, &Tokens::KEYTURN).await?;
    let tokens = Tokens::sign(&programs)?;
    let auth = programs.auth_server(free_address()?).await?;
    let api = programs.resource_api(free_address()?, auth.addr).await?;
    let mut skipped = 0;
    let guards = start(&Kind::GUARDS, &programs, &tokens, &mut skipped).await;
    let issuers = start(&Kind::ISSUERS, &programs, &tokens, &mut skipped).await;
    println!(
        "Median of {} blocks of {:?}, {} connections with one request in flight each;",
        options.rounds(),
        options.block(),
        options.connections
    );
    println!("{}.", machine::line());
    let tables = [
        (
            "protected-get.svg",
            gets(options, &tokens, &api, &guards).await?,
        ),
        ("refresh.svg", refreshes(options, &auth, &issuers).await?),
    ];
    for (file, table) in tables {
        println!("\n{}", table.markdown().trim_end());
        if let Some(folder) = &options.picture {
            std::fs::create_dir_all(folder)?;
            picture::draw(&table, &folder.join(file), &machine::line())?;
        }
    }
    Ok(skipped)
}

/// Starts those that can be.
async fn start(
    kinds: &[Kind],
    programs: &Programs,
    tokens: &Tokens,
    skipped: &mut usize,
) -> Vec<(Kind, Peer)> {
    let mut started = Vec::new();
    for kind in kinds {
        match kind.start(programs, tokens).await {
            Ok(peer) => started.push((*kind, peer)),
            Err(error) => {
                *skipped += 1;
                println!("skipped: {}: {error}", kind.name());
            }
        }
    }
    started
}

/// The protected GET: with a token that is good, and with one that is over.
async fn gets(
    options: &Options,
    tokens: &Tokens,
    api: &Service,
    guards: &[(Kind, Peer)],
) -> Result<Table, Fault> {
    let path = "/api/home";
    let good = Client::getting(path, &tokens.valid, 200);
    let over = Client::getting(path, &tokens.expired, 401);
    let forged = Client::getting(path, &tokens.forged, 401);
    let subject = |name: &str, addr: SocketAddr, process: u32, client: &Client| Subject {
        name: name.into(),
        addr,
        process,
        clients: options.clients(client),
        blocks: Vec::new(),
    };
    let mut valid = vec![subject("Keyturn's resource-api", api.addr, api.id(), &good)];
    let mut expired = vec![subject("Keyturn, expired token", api.addr, api.id(), &over)];
    let answer = good.clone().once(api.addr).await?.body;
    for (kind, peer) in guards {
        let (name, addr, process) = (kind.name(), peer.addr, peer.id());
        // Only what does the same can be compared.
        let checked = async {
            over.clone().once(addr).await?;
            forged.clone().once(addr).await?;
            good.clone().once(addr).await
        };
        let same = checked.await.map_err(|error| format!("{name}: {error}"))?;
        if same.body != answer {
            return Err(format!("{name} answers something else than Keyturn").into());
        }
        valid.push(subject(name, addr, process, &good));
        if *kind == Kind::Actix {
            let open = Client::getting("/open", "", 200);
            valid.push(subject("actix-web, no check at all", addr, process, &open));
            expired.push(subject(
                "actix-web + jsonwebtoken, expired token",
                addr,
                process,
                &over,
            ));
        }
    }
    let of_both = valid.len();
    valid.append(&mut expired);
    rounds(options, &mut valid).await?;
    let (valid, expired) = valid.split_at(of_both);
    let mut table = Table::new("Protected GET");
    table.add(valid);
    table.add(expired);
    Ok(table)
}

/// The refresh: a session for each connection.
async fn refreshes(
    options: &Options,
    auth: &Service,
    issuers: &[(Kind, Peer)],
) -> Result<Table, Fault> {
    let account = Account::register(auth.addr).await?;
    let mut clients = Vec::new();
    for _ in 0..options.connections {
        clients.push(Client::Keyturn(account.log_in(auth.addr).await?));
    }
    let kind = if options.database == "sqlite" {
        "SQLite"
    } else {
        "PostgreSQL (not counted)"
    };
    let mut subjects = vec![Subject {
        name: format!("Keyturn's auth-server, {kind}"),
        addr: auth.addr,
        process: auth.id(),
        clients,
        blocks: Vec::new(),
    }];
    for (kind, peer) in issuers {
        let used = kind.log_in(peer).await?;
        used.clone().once(peer.addr).await?;
        if used.clone().once(peer.addr).await.is_ok() {
            return Err(format!("{} takes a refresh token twice", kind.name()).into());
        }
        let mut clients = Vec::new();
        for _ in 0..options.connections {
            clients.push(kind.log_in(peer).await?);
        }
        subjects.push(Subject {
            name: kind.name().into(),
            addr: peer.addr,
            process: peer.id(),
            clients,
            blocks: Vec::new(),
        });
    }
    rounds(options, &mut subjects).await?;
    let mut table = Table::new("Refresh");
    table.add(&subjects);
    Ok(table)
}

async fn rounds(options: &Options, subjects: &mut [Subject]) -> Result<(), Fault> {
    if !options.quick {
        for subject in &mut *subjects {
            // Warms up.
            subject.block(options.block()).await?;
        }
    }
    for _ in 0..options.rounds() {
        for subject in &mut *subjects {
            let block = subject.block(options.block()).await?;
            subject.blocks.push(block);
        }
    }
    Ok(())
}
