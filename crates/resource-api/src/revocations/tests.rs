//! What the view says of a token: ended, denied, stale with either rule, ready or not.

use super::*;

const NOW: i64 = 1_800_000_000;
const MAX_AGE: i64 = 30;

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
    }
}

fn entry(sid: &str) -> Entry {
    Entry {
        sid: sid.into(),
        until: NOW + 3600,
    }
}

fn following(stale: Stale) -> Revoked {
    Revoked::new(None).with_feed(stale, MAX_AGE, NOW)
}

#[test]
fn without_feed_and_file_everything_is_live_and_ready() {
    let revoked = Revoked::new(None);
    assert_eq!(revoked.judge(&claims(Some("s1")), NOW), Verdict::Live);
    assert_eq!(revoked.feed_state(NOW), FeedState::Off);
    assert!(revoked.is_ready(NOW));
    assert_eq!(revoked.feed_age(NOW), None);
}

#[test]
fn an_ended_session_is_revoked_and_a_refresh_decides() {
    let revoked = following(Stale::Open);
    revoked.ended.add(&[entry("s1")], NOW);
    assert_eq!(
        revoked.judge(&claims(Some("s1")), NOW),
        Verdict::Revoked(Cure::Refresh)
    );
    assert_eq!(revoked.judge(&claims(Some("s2")), NOW), Verdict::Live);
    assert_eq!(revoked.judge(&claims(None), NOW), Verdict::Live);
}

#[test]
fn open_goes_on_with_a_stale_view_and_says_so() {
    let revoked = following(Stale::Open);
    assert_eq!(revoked.judge(&claims(Some("s1")), NOW), Verdict::Live);
    assert_eq!(revoked.feed_state(NOW), FeedState::Waiting);
    assert!(
        !revoked.is_ready(NOW + MAX_AGE - 1),
        "the first answer may still come"
    );
    assert!(
        revoked.is_ready(NOW + MAX_AGE),
        "but it is not waited for without end"
    );
    revoked.feed_answered(NOW + 1);
    assert!(revoked.is_ready(NOW + 1));
    let late = NOW + 1 + MAX_AGE;
    assert_eq!(revoked.feed_state(late), FeedState::Fresh);
    assert_eq!(revoked.feed_state(late + 1), FeedState::Stale);
    assert_eq!(revoked.feed_age(late + 1), Some(MAX_AGE + 1));
    assert!(revoked.is_ready(late + 1));
    assert_eq!(revoked.judge(&claims(Some("s1")), late + 1), Verdict::Live);
}

#[test]
fn closed_answers_nothing_without_a_fresh_view() {
    let revoked = following(Stale::Closed);
    assert_eq!(revoked.judge(&claims(Some("s1")), NOW), Verdict::Unknown);
    assert!(!revoked.is_ready(NOW + 10 * MAX_AGE));
    revoked.feed_answered(NOW);
    assert_eq!(
        revoked.judge(&claims(Some("s1")), NOW + MAX_AGE),
        Verdict::Live
    );
    assert!(revoked.is_ready(NOW + MAX_AGE));
    assert_eq!(
        revoked.judge(&claims(Some("s1")), NOW + MAX_AGE + 1),
        Verdict::Unknown
    );
    assert!(!revoked.is_ready(NOW + MAX_AGE + 1));
    revoked.ended.add(&[entry("s1")], NOW);
    let verdict = revoked.judge(&claims(Some("s1")), NOW + MAX_AGE + 1);
    assert_eq!(
        verdict,
        Verdict::Revoked(Cure::Refresh),
        "what is known is known"
    );
}

#[test]
fn a_clock_set_back_makes_the_view_stale_and_not_fresh_for_ever() {
    let revoked = following(Stale::Closed);
    revoked.feed_answered(NOW);
    assert_eq!(
        revoked.judge(&claims(None), NOW - MAX_AGE - 1),
        Verdict::Unknown
    );
}

#[test]
fn the_deny_file_counts_before_the_feed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deny");
    std::fs::write(&path, "sid:s1\n").unwrap();
    let revoked = Revoked::new(Some(DenyFile::open(&path).unwrap()));
    let revoked = revoked.with_feed(Stale::Closed, MAX_AGE, NOW);
    revoked.ended.add(&[entry("s1")], NOW);
    assert_eq!(
        revoked.judge(&claims(Some("s1")), NOW),
        Verdict::Revoked(Cure::None)
    );
}
