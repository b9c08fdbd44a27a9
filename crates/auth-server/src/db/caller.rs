//! Who asks, and when.

/// Who asks, and when: on every record of the audit trail.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Unix seconds at which the request arrived: the one time of everything it does.
    pub now: i64,
    /// When it arrived, by the clock that never jumps.
    pub arrived: std::time::Instant,
    /// Client address, or `cli`.
    pub address: String,
    /// User agent, shortened.
    pub user_agent: String,
    /// The request's id: one of ours, and behind it, marked as such, what the client called it.
    pub request_id: String,
}

impl Caller {
    /// The command line, now.
    #[must_use]
    pub fn cli() -> Self {
        Self {
            now: shared::clock::now(),
            arrived: std::time::Instant::now(),
            address: "cli".into(),
            user_agent: String::new(),
            request_id: String::new(),
        }
    }
}
