//! How log lines look: text for people, JSON for machines; on stderr, filtered by `RUST_LOG`.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use log::Record;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line: time, level, target, message.
    Json,
}

/// What is logged, and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Log", about = None, long_about = None)]
pub struct LogSettings {
    /// What is logged: a level, or a list like `info,auth_server=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info", global = true)]
    pub log_filter: String,

    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t, global = true)]
    pub log_format: LogFormat,
}

/// The framework's module that reports a head which is no HTTP as an error. Whoever can reach the port
/// could fill the log with it; name the module in the filter to see it.
const NOISE: &str = "actix_http::h1::dispatcher";

/// Sets the log up. Only the first call in a process counts.
pub fn init_log(settings: &LogSettings) {
    let mut builder = builder(&settings.log_filter);
    if settings.log_format == LogFormat::Json {
        builder.format(|line, record| write_json(line, record, &crate::clock::stamp()));
    }
    // Err means that somebody else has set it up: a program that embeds us, or another test.
    let _ = crate::log_limit::install(builder.build());
}

fn builder(filter: &str) -> env_logger::Builder {
    let mut builder = env_logger::Builder::new();
    // What the filter itself says of the module counts more: it comes later.
    builder.filter_module(NOISE, log::LevelFilter::Off);
    builder.parse_filters(filter);
    builder
}

/// Writes a record as one line of JSON; whatever a message holds, it stays one line.
fn write_json(out: &mut impl Write, record: &Record<'_>, time: &str) -> io::Result<()> {
    let line = serde_json::json!({
        "time": time,
        "level": record.level().as_str(),
        "target": record.target(),
        "message": record.args().to_string(),
    });
    writeln!(out, "{line}")
}

#[cfg(test)]
mod tests {
    use log::{Level, Log as _};

    use super::*;

    #[test]
    fn strangers_cannot_fill_the_log_with_heads_that_are_no_http() {
        let logs = |filter: &str, target: &str| {
            let logger = builder(filter).build();
            logger.enabled(
                &log::Metadata::builder()
                    .level(Level::Error)
                    .target(target)
                    .build(),
            )
        };
        assert!(!logs("info", NOISE));
        assert!(logs("info", "actix_http"));
        assert!(logs(&format!("info,{NOISE}=error"), NOISE));
    }

    #[test]
    fn a_record_is_one_line_whatever_it_holds() {
        let mut out = Vec::new();
        let args = format_args!("a \"quoted\"\nline \u{1b}[31m");
        let record = Record::builder()
            .args(args)
            .level(Level::Warn)
            .target("test")
            .build();
        write_json(&mut out, &record, "2026-11-21T21:00:00.123Z").unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["target"], "test");
        assert_eq!(line["message"], "a \"quoted\"\nline \u{1b}[31m");
        assert_eq!(line["time"], "2026-11-21T21:00:00.123Z");
    }
}
