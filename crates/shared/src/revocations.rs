//! What is revoked: the question that a gate asks about every token, and its answers.

use crate::claims::Claims;
use crate::token_error::Cure;

/// What is known about the revocation of a token's session, user or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not revoked.
    Live,
    /// Revoked.
    Revoked(Cure),
    /// The view is too old to tell, and the installation prefers to refuse then.
    Unknown,
}

/// Knows what has been revoked. Asked for every request: it must answer from memory.
pub trait Revocations: Send + Sync {
    /// Judges the token with these claims at `now`.
    fn judge(&self, claims: &Claims, now: i64) -> Verdict;
}

/// Purely stateless: nothing is ever revoked but keys.
impl Revocations for () {
    fn judge(&self, _: &Claims, _: i64) -> Verdict {
        Verdict::Live
    }
}
