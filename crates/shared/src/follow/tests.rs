//! What the view says of a token: ended, stale with either rule, ready or not.

use super::*;
use crate::feed::Entry;

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
        client_id: None,
        scope: None,
    }
}

fn entry(sid: &str) -> Entry {
    Entry {
        sid: sid.into(),
        until: NOW + 3600,
    }
}

fn following(stale: Stale) -> View {
    View::new(stale, Duration::from_secs(30), NOW)
}

fn answered(view: &View, now: i64) {
    view.answered.store(now, Ordering::Relaxed);
}

#[test]
fn an_ended_session_is_revoked_and_a_refresh_decides() {
    let view = following(Stale::Open);
    view.ended.add(&[entry("s1")], NOW);
    assert_eq!(
        view.judge(&claims(Some("s1")), NOW),
        Verdict::Revoked(Cure::Refresh)
    );
    assert_eq!(view.judge(&claims(Some("s2")), NOW), Verdict::Live);
    assert_eq!(view.judge(&claims(None), NOW), Verdict::Live);
}

#[test]
fn open_goes_on_with_a_stale_view_and_says_so() {
    let view = following(Stale::Open);
    assert_eq!(view.judge(&claims(Some("s1")), NOW), Verdict::Live);
    assert_eq!(view.state(NOW), FeedState::Waiting);
    assert!(
        !view.is_ready(NOW + MAX_AGE - 1),
        "the first answer may still come"
    );
    assert!(
        view.is_ready(NOW + MAX_AGE),
        "but it is not waited for without end"
    );
    answered(&view, NOW + 1);
    assert!(view.is_ready(NOW + 1));
    let late = NOW + 1 + MAX_AGE;
    assert_eq!(view.state(late), FeedState::Fresh);
    assert_eq!(view.state(late + 1), FeedState::Stale);
    assert_eq!(view.age(late + 1), Some(MAX_AGE + 1));
    assert!(view.is_ready(late + 1));
    assert_eq!(view.judge(&claims(Some("s1")), late + 1), Verdict::Live);
}

#[test]
fn closed_answers_nothing_without_a_fresh_view() {
    let view = following(Stale::Closed);
    assert_eq!(view.judge(&claims(Some("s1")), NOW), Verdict::Unknown);
    assert!(!view.is_ready(NOW + 10 * MAX_AGE));
    answered(&view, NOW);
    assert_eq!(
        view.judge(&claims(Some("s1")), NOW + MAX_AGE),
        Verdict::Live
    );
    assert!(view.is_ready(NOW + MAX_AGE));
    assert_eq!(
        view.judge(&claims(Some("s1")), NOW + MAX_AGE + 1),
        Verdict::Unknown
    );
    assert!(!view.is_ready(NOW + MAX_AGE + 1));
    view.ended.add(&[entry("s1")], NOW);
    let verdict = view.judge(&claims(Some("s1")), NOW + MAX_AGE + 1);
    assert_eq!(
        verdict,
        Verdict::Revoked(Cure::Refresh),
        "what is known is known"
    );
}

#[test]
fn a_clock_set_back_makes_the_view_stale_and_not_fresh_for_ever() {
    let view = following(Stale::Closed);
    answered(&view, NOW);
    assert_eq!(
        view.judge(&claims(None), NOW - MAX_AGE - 1),
        Verdict::Unknown
    );
}
