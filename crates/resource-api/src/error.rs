//! Why the service does not start: one line that names the setting and what to do about it.

use std::fmt;

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting has a value that cannot be used, or that contradicts another.
    #[error("{name} {fault}")]
    Setting {
        /// The variable's name.
        name: &'static str,
        /// What is wrong with it, and what would be right.
        fault: String,
    },
    /// Another part says in its own words, setting included, what it cannot use.
    #[error("{0}")]
    Unusable(String),
}

impl StartError {
    /// Takes over a sentence that names its setting.
    pub(crate) fn of(fault: impl fmt::Display) -> Self {
        Self::Unusable(fault.to_string())
    }

    /// Says what is wrong with the setting `name`.
    pub(crate) fn setting(name: &'static str, fault: impl fmt::Display) -> Self {
        Self::Setting {
            name,
            fault: fault.to_string(),
        }
    }
}
