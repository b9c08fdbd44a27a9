//! A refresh among few sessions and among many, in turn.

use std::path::Path;
use std::time::Duration;

use proof::Fault;
use proof::filling::{fill, sample};
use proof::load::{Turning, median};
use proof::machine::{self, mib};
use proof::statistics::Summary;
use tokio::task::block_in_place;
use tokio::time::Instant;

use crate::{CONNECTIONS, Options, Place, tell_of_repeats};

/// What a refresh among many sessions may cost, in those among few.
const GOAL: f64 = 1.5;
/// What a block of refreshes cost, each: microseconds.
#[derive(Clone, Copy, Default)]
struct Cost {
    app: f64,
    server: f64,
    p50: f64,
    p99: f64,
    rate: f64,
}

/// Whether the ratio keeps its goal.
pub(crate) async fn filled(options: &Options, data: &Path) -> Result<bool, Fault> {
    let few = prepare(options, data, "few", options.few).await?;
    let many = prepare(options, data, "many", options.many).await?;
    let mut both = [few, many];
    let mut rounds = Vec::new();
    for _ in 0..=options.blocks {
        let mut round = [Cost::default(); 2];
        for ((place, sessions), cost) in both.iter_mut().zip(&mut round) {
            *cost = block(place, sessions, options.requests).await?;
        }
        rounds.push(round);
    }
    // The first round warmed up.
    rounds.remove(0);
    println!(
        "\nA refresh, µs, {CONNECTIONS} connections, median of {} blocks of {}\n",
        options.blocks, options.requests
    );
    println!(
        "| sessions | CPU of auth-server | CPU of the database's server | p50 | p99 | a second |\n|--:|--:|--:|--:|--:|--:|"
    );
    let of = |at: usize, figure: fn(&Cost) -> f64| {
        median(rounds.iter().filter_map(|round| round.get(at).map(figure)))
    };
    for (at, sessions) in [options.few, options.many].into_iter().enumerate() {
        println!(
            "| {sessions} | {:.1} | {:.1} | {:.0} | {:.0} | {:.0} |",
            of(at, |it| it.app),
            of(at, |it| it.server),
            of(at, |it| it.p50),
            of(at, |it| it.p99),
            of(at, |it| it.rate),
        );
    }
    let ratio = |figure: fn(&Cost) -> f64| {
        median(rounds.iter().map(|[few, many]| figure(many) / figure(few)))
    };
    let (cpu, time) = (ratio(|it| it.app + it.server), ratio(|it| it.p50));
    println!("\nratio of CPU {cpu:.2}, of time {time:.2}; to stay below {GOAL}");
    for (place, sessions) in &both {
        tell_of_repeats(sessions);
        if let Some(updates) = place
            .updates((options.requests * options.blocks) as usize)
            .await?
        {
            println!(
                "{}: {} updates, of them HOT {:.1} %, {} dead rows, table {} MiB, indexes {} MiB",
                place.data.file_name().unwrap_or_default().display(),
                updates.updated,
                percent(updates.hot, updates.updated),
                updates.dead,
                updates.table >> 20,
                updates.indexes >> 20
            );
        }
    }
    Ok(cpu < GOAL && time < GOAL)
}

/// Fills a database, and takes sessions from all over it, those of the real log-ins among them.
async fn prepare(
    options: &Options,
    data: &Path,
    name: &str,
    sessions: u32,
) -> Result<(Place, Turning), Fault> {
    let place = Place::make(options, data, name).await?;
    let begun = Instant::now();
    block_in_place(|| {
        fill(&place.database, sessions.into(), |there| {
            if there % 1_000_000 == 0 {
                println!("  {there} sessions after {} s", begun.elapsed().as_secs());
            }
        })
    })?;
    let wanted = (options.requests * (options.blocks + 1)).min(sessions);
    let mut pairs = block_in_place(|| sample(&place.database, &place.data, wanted))?;
    // Theirs come somewhere in between.
    for (n, real) in place.pairs.iter().enumerate() {
        let at = (n * 7919) % pairs.len().max(1);
        pairs.insert(at, real.clone());
    }
    let extent = place.database.extent()?;
    println!(
        "{name}: {sessions} sessions in {:.1} s, {} MiB; {} of them will be refreshed",
        begun.elapsed().as_secs_f64(),
        mib(u64::try_from(extent.bytes)?),
        pairs.len()
    );
    Ok((place, Turning::new(pairs, CONNECTIONS)))
}

async fn block(place: &Place, sessions: &mut Turning, requests: u32) -> Result<Cost, Fault> {
    let server = place.database.server_cpu();
    let app = machine::cpu_nanoseconds(place.auth.id())?;
    let begun = Instant::now();
    let times = sessions.refresh(place.auth.addr, requests).await?;
    let elapsed = begun.elapsed();
    let app = machine::cpu_nanoseconds(place.auth.id())?.saturating_sub(app);
    let server = match (server, place.database.server_cpu()) {
        (Some(before), Some(after)) => after.since(&before),
        _ => 0,
    };
    let done = f64::from(u32::try_from(times.len())?);
    let summary = Summary::of(times).ok_or("nothing was refreshed")?;
    let each = |nanoseconds: u64| Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6 / done;
    Ok(Cost {
        app: each(app),
        server: each(server),
        p50: summary.p50.as_secs_f64() * 1e6,
        p99: summary.p99.as_secs_f64() * 1e6,
        rate: done / elapsed.as_secs_f64(),
    })
}

fn percent(part: i64, whole: i64) -> f64 {
    let per_mille = (part * 1000).checked_div(whole).unwrap_or_default();
    f64::from(i32::try_from(per_mille).unwrap_or_default()) / 10.0
}
