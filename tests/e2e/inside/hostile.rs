//! Hostile tokens under the right key: what the gate judges once a signature fits. Both services' gates see
//! every row.

mod claims;
mod header;
mod json;
mod order;

use e2e::{App, Draft};

/// A service and the claims of a live session, from which rows are drafted.
struct Workshop {
    app: App,
    pair: e2e::Pair,
    forge: e2e::Forge,
}

impl Workshop {
    async fn open() -> Self {
        let app = App::start().await;
        let (_, pair) = app.newcomer().await;
        let forge = app.forge();
        Self { app, pair, forge }
    }

    /// A good token, ready to be spoilt.
    fn draft(&self) -> Draft {
        self.forge.draft(&self.pair.claims())
    }
}
