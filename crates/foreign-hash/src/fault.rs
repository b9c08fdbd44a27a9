//! Why a text is no hash that can be verified here.

/// What is wrong with a hash. `Display` is one line for an operator; nothing in it comes from the salt or the hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No known form.
    #[error("not a password hash of a known form")]
    Unknown,
    /// A mark that no password is right, as Django writes it (`!` and something random): the account has none.
    #[error("a mark of an account without a password, not a hash")]
    Unusable,
    /// A known form, but something in it is missing, malformed, zero, or too short to prove anything.
    #[error("{form}: bad {part}")]
    Broken {
        /// The form's name.
        form: &'static str,
        /// The part that is wrong.
        part: &'static str,
    },
    /// Verifying it would cost more than [`bounds`](crate::bounds) allow.
    #[error("{form}: {parameter} = {value} costs too much; the bound is {bound}")]
    TooCostly {
        /// The form's name.
        form: &'static str,
        /// What is too large, with its unit.
        parameter: &'static str,
        /// Its value; `u64::MAX` stands for anything larger.
        value: u64,
        /// The largest value that is let through.
        bound: u64,
    },
}
