//! Why a mail did not get away, and whether it is worth another try.

/// Why a mail was not handed over. The sentences have no secret, no text of the mail and not its recipient's
/// address, so they can be logged and stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It may go well later: the server is away, busy, refuses the log-in, or has a certificate that is not
    /// trusted. Most refusals are here, permanent ones too: they come from what an operator can put right.
    #[error("{0}")]
    Later(String),
    /// It goes to an address that there is not, or that can be in no mail: no later try will do better.
    #[error("{0}")]
    Never(String),
}
