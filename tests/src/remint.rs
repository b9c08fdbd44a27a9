//! Refresh tokens that the server would have to call genuine: signed with its own MAC key, changed first.

use auth_server::mac_keys::MacKeys;
use auth_server::sessions::refresh_token::{Purpose, RefreshToken};

use crate::App;

impl App {
    /// A genuine refresh token with something else in it.
    pub fn remint(&self, token: &str, change: impl FnOnce(&mut RefreshToken)) -> String {
        let file = std::fs::read(self.folder().join("refresh-keys.json")).expect("the MAC keys");
        let keys = MacKeys::parse(&file).expect("MAC keys");
        let mut token =
            RefreshToken::decode(token, Purpose::Account, &keys).expect("a genuine token");
        change(&mut token);
        token.encode(&keys).expect("a known key")
    }
}
