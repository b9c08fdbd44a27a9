//! Back-channel log-out: clients are told that a user signed out, server to server (OIDC Back-Channel Logout 1.0).
//!
//! What is to be told is queued in the unit that ends the sessions (`queue_log_outs`); one task of each replica delivers
//! it. No HTTP of our own; what it knows of clients is in memory.

mod reach;
mod sender;
mod token;

pub(crate) use reach::{Reach, is_in_private};
pub(crate) use sender::Sender;
