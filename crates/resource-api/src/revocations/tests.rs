//! What this service says of a token: denied before everything else, and live without feed and file.

use std::time::Duration;

use shared::claims::Claims;
use shared::clock;
use shared::follow::{Follower, Stale, address};
use shared::key_file::KeyFile;
use shared::keys::KeyRing;
use shared::token::Policy;
use shared::token_error::Cure;

use super::*;

const NOW: i64 = 1_800_000_000;

fn claims(sid: Option<&str>) -> Claims {
    Claims {
        iss: "issuer".into(),
        aud: vec!["audience".into()],
        sub: "u1".into(),
        sid: sid.map(Into::into),
        jti: None,
        iat: None,
        nbf: None,
        exp: NOW,
        name: None,
        email: None,
        email_verified: false,
        roles: Vec::new(),
        client_id: None,
        scope: None,
    }
}

/// A view that has heard nothing, and so refuses every token.
fn silent() -> Arc<View> {
    // Err means that another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let keys = KeyFile::fixed(KeyRing::generate(clock::now()));
    let policy = Policy {
        issuer: "issuer".into(),
        audiences: vec!["audience".into()],
        skew: 0,
    };
    let url = address("http://auth").unwrap();
    Follower::new(url, &keys, &policy, Stale::Closed, Duration::from_secs(30))
        .unwrap()
        .1
}

#[test]
fn without_feed_and_file_everything_is_live() {
    let revoked = Revoked::default();
    assert_eq!(revoked.judge(&claims(Some("s1")), NOW), Verdict::Live);
}

#[test]
fn the_deny_file_counts_before_the_feed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deny");
    std::fs::write(&path, "sid:s1\n").unwrap();
    let revoked = Revoked {
        deny: Some(DenyFile::open(&path).unwrap()),
        view: Some(silent()),
    };
    assert_eq!(
        revoked.judge(&claims(Some("s1")), NOW),
        Verdict::Revoked(Cure::None)
    );
    assert_eq!(revoked.judge(&claims(Some("s2")), NOW), Verdict::Unknown);
}
