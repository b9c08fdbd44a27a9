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
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace` or `off`), or a list like
    /// `info,auth_server=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info", global = true, value_parser = parse_filter)]
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
        builder.format(|line, record| write_json(line, record, &shared::clock::stamp()));
    }
    // Err means that somebody else has set it up: a program that embeds us, or another test.
    let _ = crate::log_limit::install(builder.build());
}

/// Refuses what the logger would take for the name of a module that nobody has, and then log nothing.
/// An empty variable is as good as none.
fn parse_filter(text: &str) -> Result<String, String> {
    const LEVELS: &str = "the levels are error, warn, info, debug, trace and off";
    let (directives, words) = text.split_once('/').unwrap_or((text, ""));
    if words.contains('/') {
        return Err("has more than one `/`".into());
    }
    let mut any = false;
    for directive in directives
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty())
    {
        any = true;
        match directive.split_once('=') {
            None if is_level(directive) => {}
            // A word by itself may be a module, which then says everything. Only a path is plainly one.
            None if directive.contains("::") && is_module(directive) => {}
            None => {
                return Err(format!(
                    "{directive:?} is no level: {LEVELS}; to see all of a module write \"{directive}=trace\""
                ));
            }
            Some((module, _)) if !is_module(module.trim()) => {
                return Err(format!(
                    "{module:?} is no module's name, like `auth_server::sessions`"
                ));
            }
            Some((_, level)) if !is_level(level.trim()) => {
                return Err(format!(
                    "in {directive:?} there is no level behind the `=`: {LEVELS}"
                ));
            }
            Some(_) => {}
        }
    }
    Ok(if any {
        text.to_owned()
    } else {
        format!("info{text}")
    })
}

fn is_level(word: &str) -> bool {
    word.parse::<log::LevelFilter>().is_ok()
}

fn is_module(path: &str) -> bool {
    let name = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    path.split("::").all(name)
}

fn builder(filter: &str) -> env_logger::Builder {
    let mut builder = env_logger::Builder::new();
    // What the filter itself says of the module counts more: it comes later.
    builder.filter_module(NOISE, log::LevelFilter::Off);
    // It warns of what any stranger can send.
    builder.filter_module("rustls", log::LevelFilter::Error);
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
    fn a_level_that_does_not_exist_is_refused_with_those_that_do() {
        for bad in [
            "warning",
            "verbose",
            "all",
            "none",
            "err",
            "INF",
            "2",
            "info,auth_server=debugg",
            "debug;info",
            "auth_server",
            "auth_server=",
            "info,=debug",
            "info debug",
            "auth_server=warn=info",
            "a/b/c",
            "info,warning",
            "true",
            "*",
            "*=debug",
        ] {
            let why = parse_filter(bad).expect_err(bad);
            assert!(!why.contains('\n'), "{why}");
            if !bad.contains('/') && !bad.contains("=d") {
                assert!(
                    why.contains("error, warn, info, debug, trace and off"),
                    "{bad}: {why}"
                );
            }
        }
        for good in [
            "info",
            "WARN",
            "off",
            "trace",
            "info,auth_server=debug",
            " info , actix_web=warn ",
            "info,",
            "auth_server::sessions",
            "auth_server::sessions=debug,warn",
            "warn,actix-web=off",
            "debug/token",
        ] {
            assert_eq!(parse_filter(good).as_deref(), Ok(good), "{good}");
        }
    }

    #[test]
    fn an_empty_filter_logs_errors_as_none_does() {
        for (empty, wanted) in [("", "info"), (" ", "info "), (",", "info,")] {
            let filter = parse_filter(empty).unwrap();
            assert_eq!(filter, wanted);
            assert_eq!(builder(&filter).build().filter(), log::LevelFilter::Info);
        }
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
