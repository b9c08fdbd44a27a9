//! Which values libpq's connection parameters may have. With another one it refuses every attempt to connect,
//! and a service would wait for its database in vain.

/// Parameters with a few words for values (PostgreSQL 18, §32.1.2).
const WORDS: &[(&str, &[&str])] = &[
    ("channel_binding", &["disable", "prefer", "require"]),
    ("gssencmode", &["disable", "prefer", "require"]),
    ("load_balance_hosts", &["disable", "random"]),
    ("sslcertmode", &["disable", "allow", "require"]),
    (
        "sslmode",
        &[
            "disable",
            "allow",
            "prefer",
            "require",
            "verify-ca",
            "verify-full",
        ],
    ),
    ("sslnegotiation", &["postgres", "direct"]),
    (
        "target_session_attrs",
        &[
            "any",
            "read-write",
            "read-only",
            "primary",
            "standby",
            "prefer-standby",
        ],
    ),
];

/// Those that are whole numbers.
const NUMBERS: &[&str] = &[
    "connect_timeout",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
];

/// Judges a value; an empty one stands for libpq's default.
///
/// # Errors
/// What it may be. It is not quoted: with a character of the password unescaped, it may be a part of that.
pub(super) fn check(keyword: &str, value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Ok(());
    }
    if NUMBERS.contains(&keyword) && value.trim().parse::<i32>().is_err() {
        return Err(format!("{keyword} is no whole number"));
    }
    match WORDS.iter().find(|(name, _)| *name == keyword) {
        Some((_, words)) if !words.contains(&value) => {
            let words = words.join(", ");
            Err(format!("{keyword} is none of {words}"))
        }
        _ => Ok(()),
    }
}
