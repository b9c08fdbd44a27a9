//! What this service knows of revocation: the view of the feed, and the deny file.

mod deny;

use std::sync::Arc;

use shared::claims::Claims;
use shared::follow::View;
use shared::revocations::{Revocations, Verdict};

pub use deny::DenyFile;

/// All that is known of revoked sessions, accounts and tokens.
#[derive(Debug, Default)]
pub struct Revoked {
    /// The deny file, if one is set.
    pub deny: Option<DenyFile>,
    /// The view of the feed, if one is followed.
    pub view: Option<Arc<View>>,
}

impl Revocations for Revoked {
    /// Whom the operator denies is denied, whatever the feed says.
    fn judge(&self, claims: &Claims, now: i64) -> Verdict {
        if let Some(cure) = self.deny.as_ref().and_then(|deny| deny.judge(claims)) {
            return Verdict::Revoked(cure);
        }
        let view = self.view.as_ref();
        view.map_or(Verdict::Live, |view| view.judge(claims, now))
    }
}

#[cfg(test)]
mod tests;
