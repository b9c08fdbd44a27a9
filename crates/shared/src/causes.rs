//! An error and everything behind it, for a log.

use std::error::Error;

/// The error and what caused it, in one line; many errors say only the outermost of it themselves.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
