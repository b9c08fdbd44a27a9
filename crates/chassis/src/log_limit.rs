//! One line of a kind a second: whoever can make a service complain must not be able to fill its log.
//!
//! A kind is the place in the code that complains, at its level, and what it gives as `kind`, if anything. The
//! first line of a kind in a second is written, the others are counted, and the count is written when the second
//! is over. Only warnings and errors are counted: who asks for more wants everything.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::kv::Key;
use log::{Level, Log, Metadata, Record, SetLoggerError};

const A_SECOND: Duration = Duration::from_secs(1);
/// Kinds that are told apart in a second; what comes beyond them is one kind.
const MOST_KINDS: usize = 256;
/// Bytes of a line that its count repeats.
const REPEATED: usize = 400;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    level: Level,
    target: String,
    line: Option<u32>,
    what: String,
}

struct Seen {
    since: Instant,
    left_out: u64,
    /// The last that was left out.
    last: String,
}

/// The kinds of the last second.
#[derive(Default)]
struct Kinds(HashMap<Kind, Seen>);

impl Kinds {
    /// Whether this line is written; else it is counted. What is over by `now` must have been taken out.
    fn admits(&mut self, mut kind: Kind, line: impl FnOnce() -> String, now: Instant) -> bool {
        if self.0.len() >= MOST_KINDS && !self.0.contains_key(&kind) {
            kind.line = None;
            kind.what.clear();
        }
        if let Some(seen) = self.0.get_mut(&kind) {
            seen.left_out += 1;
            seen.last = line();
            return false;
        }
        let seen = Seen {
            since: now,
            left_out: 0,
            last: String::new(),
        };
        self.0.insert(kind, seen);
        true
    }

    /// Takes out the kinds whose second is over, and gives those of which lines were left out.
    fn over(&mut self, now: Instant) -> Vec<(Kind, Seen)> {
        let over = |seen: &Seen| now.saturating_duration_since(seen.since) >= A_SECOND;
        self.0
            .extract_if(|_, seen| over(seen))
            .filter(|(_, seen)| seen.left_out > 0)
            .collect()
    }
}

/// A logger before which repetitions are counted.
struct Limited<L> {
    inner: L,
    kinds: Mutex<Kinds>,
}

impl<L: Log> Limited<L> {
    fn new(inner: L) -> Self {
        Self {
            inner,
            kinds: Mutex::default(),
        }
    }

    fn kinds(&self) -> MutexGuard<'_, Kinds> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the counts of what is over.
    fn settle(&self, now: Instant) {
        let over = self.kinds().over(now);
        for (kind, seen) in over {
            self.inner.log(
                &Record::builder()
                    .level(kind.level)
                    .target(&kind.target)
                    .args(format_args!(
                        "{} more of this kind within a second, the last: {}",
                        seen.left_out, seen.last
                    ))
                    .build(),
            );
        }
    }

    fn log_at(&self, record: &Record<'_>, now: Instant) {
        // Before the new line, so that a log stays in order.
        self.settle(now);
        if record.level() > Level::Warn
            || self.kinds().admits(kind(record), || shortened(record), now)
        {
            self.inner.log(record);
        }
    }
}

fn kind(record: &Record<'_>) -> Kind {
    let what = record.key_values().get(Key::from("kind"));
    Kind {
        level: record.level(),
        target: record.target().to_owned(),
        line: record.line(),
        what: what.map(|what| what.to_string()).unwrap_or_default(),
    }
}

fn shortened(record: &Record<'_>) -> String {
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = write!(text, "{}", record.args());
    text.truncate(text.floor_char_boundary(REPEATED));
    text
}

impl<L: Log> Log for Limited<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.inner.enabled(record.metadata()) {
            self.log_at(record, Instant::now());
        }
    }

    fn flush(&self) {
        self.settle(Instant::now() + A_SECOND);
        self.inner.flush();
    }
}

/// The logger of the process, and the thread that writes the counts when nothing else is logged.
#[derive(Clone)]
struct Shared(Arc<Limited<env_logger::Logger>>);

impl Log for Shared {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.0.log(record);
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// Makes `logger` the one of the process.
///
/// # Errors
/// If there is one already.
pub(crate) fn install(logger: env_logger::Logger) -> Result<(), SetLoggerError> {
    let most = logger.filter();
    let limited = Shared(Arc::new(Limited::new(logger)));
    let counts = limited.clone();
    log::set_boxed_logger(Box::new(limited))?;
    log::set_max_level(most);
    let started = thread::Builder::new()
        .name("log-counts".into())
        .spawn(move || {
            loop {
                thread::sleep(A_SECOND);
                counts.0.settle(Instant::now());
            }
        });
    if let Err(error) = started {
        log::warn!("repeated lines are counted only when others follow: {error}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl Log for Lines {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &Record<'_>) {
            let line = format!("{} {}", record.level(), record.args());
            self.0.lock().unwrap().push(line);
        }

        fn flush(&self) {}
    }

    fn complain(logger: &Limited<Lines>, level: Level, kind: &str, text: &str, now: Instant) {
        let pair: [(&str, &str); 1] = [("kind", kind)];
        logger.log_at(
            &Record::builder()
                .level(level)
                .target("test")
                .line(Some(1))
                .key_values(&pair)
                .args(format_args!("{text}"))
                .build(),
            now,
        );
    }

    fn lines(logger: &Limited<Lines>) -> Vec<String> {
        std::mem::take(&mut logger.inner.0.lock().unwrap())
    }

    #[test]
    fn a_flood_is_one_line_a_second_and_a_count() {
        let logger = Limited::new(Lines::default());
        let start = Instant::now();
        for n in 0..1_000 {
            let now = start + Duration::from_millis(n * 3);
            complain(&logger, Level::Warn, "busy", &format!("request {n}"), now);
        }
        logger.settle(start + Duration::from_secs(4));
        let lines = lines(&logger);
        assert_eq!(lines.len(), 6, "{lines:?}");
        assert_eq!(lines[0], "WARN request 0");
        assert_eq!(
            lines[1],
            "WARN 333 more of this kind within a second, the last: request 333"
        );
        assert_eq!(lines[2], "WARN request 334");
        assert_eq!(
            lines[5],
            "WARN 331 more of this kind within a second, the last: request 999"
        );
    }

    #[test]
    fn a_flood_hides_nothing_of_another_kind() {
        let logger = Limited::new(Lines::default());
        let now = Instant::now();
        for _ in 0..100 {
            complain(&logger, Level::Warn, "busy", "busy", now);
        }
        complain(&logger, Level::Error, "busy", "an error", now);
        complain(&logger, Level::Warn, "database", "the database", now);
        assert_eq!(
            lines(&logger),
            ["WARN busy", "ERROR an error", "WARN the database"]
        );
    }

    #[test]
    fn what_is_asked_for_in_detail_is_written_whole() {
        let logger = Limited::new(Lines::default());
        let now = Instant::now();
        for level in [Level::Info, Level::Debug, Level::Trace] {
            for _ in 0..50 {
                complain(&logger, level, "", "detail", now);
            }
        }
        assert_eq!(lines(&logger).len(), 150);
    }

    #[test]
    fn kinds_without_number_are_one_kind() {
        let logger = Limited::new(Lines::default());
        let now = Instant::now();
        for n in 0..10_000 {
            complain(
                &logger,
                Level::Warn,
                &n.to_string(),
                &"é".repeat(1_000),
                now,
            );
        }
        assert_eq!(lines(&logger).len(), MOST_KINDS + 1);
        logger.settle(now + A_SECOND);
        let count = lines(&logger);
        assert_eq!(count.len(), 1);
        assert!(count[0].len() < REPEATED + 100);
        assert!(logger.kinds().0.is_empty());
    }
}
