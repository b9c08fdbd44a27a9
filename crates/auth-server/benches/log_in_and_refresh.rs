//! What the small things of a log-in and a refresh cost: the refresh token, the rules, the password, the body.
//!
//! No database and no socket. Everything but the bodies goes through the public API. Times of two machines do not
//! compare; the ratios of one run do.

#![expect(
    clippy::unwrap_used,
    reason = "what cannot be set up cannot be measured"
)]

/// The bodies are private to the routes, so their file is taken in here as it stands.
#[path = "../src/routes/bodies.rs"]
#[expect(dead_code, reason = "only what is read is measured")]
mod bodies;

// Where the bodies look for them.
use auth_server::{db, sessions};

use std::future::ready;
use std::hint::black_box;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::test::TestRequest;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use auth_server::log_in::password::{Password, Verdict};
use auth_server::log_in::{Hasher, Paid};
use auth_server::settings::PasswordPolicy;
use auth_server::strength::Strength;
use chassis::http::Json;
use criterion::{Criterion, SamplingMode};
use futures_util::FutureExt;
use futures_util::stream::{LocalBoxStream, once};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::runtime::Builder;
use uuid::Uuid;

use auth_server::mac_keys::{MacKeyFile, MacKeys};
use db::{EndReason, Generation, Purpose, RefreshToken, Session, SessionKind};
use sessions::rotation::{Judgement, RotationRules, judge};

const NOW: i64 = 1_800_000_000;

fn main() {
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    refresh_tokens(&mut criterion);
    rotation(&mut criterion);
    passwords(&mut criterion);
    bodies_of_requests(&mut criterion);
    criterion.final_summary();
}

/// A session's first token.
fn first_token(keys: &MacKeys) -> RefreshToken {
    RefreshToken {
        purpose: Purpose::Account,
        key_id: keys.signing(NOW).unwrap().id(),
        session: Uuid::from_u128(7).into(),
        generation: Generation(1),
        nonce: [9; 16],
        absolute_until: NOW + 86_400,
    }
}

/// Does a forged token cost more than a good one? It is refused before a database is asked.
fn refresh_tokens(criterion: &mut Criterion) {
    let keys = MacKeys::generate(NOW);
    let token = first_token(&keys);
    let good = token.encode(&keys).unwrap();
    let mut forged = good.clone();
    let changed = if forged.pop() == Some('A') { 'B' } else { 'A' };
    forged.push(changed);
    let file = MacKeyFile::fixed(keys.clone());
    assert!(RefreshToken::read(&good, Purpose::Account, &file).is_ok_and(|read| read == token));
    assert!(RefreshToken::read(&forged, Purpose::Account, &file).is_err());

    let mut group = criterion.benchmark_group("a refresh token, read with its MAC and written");
    for (name, text) in [("read, good", &good), ("read, forged", &forged)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| RefreshToken::read(black_box(text), Purpose::Account, &file));
        });
    }
    group.bench_function("written", |bencher| {
        bencher.iter(|| black_box(&token).encode(&keys));
    });
    group.finish();
}

/// A live session in its fifth generation, rotated so many seconds ago.
fn row(rotated: i64) -> Session {
    Session {
        id: Uuid::from_u128(7).into(),
        user: Some(Uuid::from_u128(8).into()),
        generation: Generation(5),
        nonce: [9; 16],
        created_at: NOW - 3600,
        rotated_at: NOW - rotated,
        idle_until: NOW + 3600,
        absolute_until: NOW + 86_400,
        late_generation: Generation(0),
        late_streak: 0,
        ended: None,
        device: "Firefox".into(),
        address: "203.0.113.7".into(),
        agent: Some("Firefox".into()),
        seen_at: NOW - 3600,
        seen_address: "203.0.113.7".into(),
        sighting: None,
        shown_sighting: None,
        kind: SessionKind::Account,
        parent: None,
        grant: None,
    }
}

/// Are the rules what a refresh waits for?
fn rotation(criterion: &mut Criterion) {
    let rules = RotationRules {
        grace: 30,
        late_retries: 3,
        access_ttl: 300,
        accepted: 660,
    };
    let ended = Session {
        ended: Some((NOW - 10, EndReason::Logout)),
        ..row(10)
    };
    let over = sessions::rotation::over(&ended, NOW).unwrap();
    let mut group = criterion.benchmark_group("what a refresh token means, by the judgement");
    for (name, row, presented, judgement) in [
        ("current", row(60), 5, Judgement::Current),
        ("retry", row(10), 4, Judgement::Retry),
        ("late retry", row(60), 4, Judgement::LateRetry),
        ("reuse", row(60), 2, Judgement::Reuse),
        ("over", ended, 5, Judgement::Over(over)),
    ] {
        let presented = Generation(presented);
        assert_eq!(judge(&row, presented, NOW, rules), judgement);
        group.bench_function(name, |bencher| {
            bencher.iter(|| judge(black_box(&row), presented, NOW, rules));
        });
    }
    group.finish();
}

/// Do a right password, a wrong one and an unknown account cost the same? One hash each, with the way to the thread and
/// back; the thread gives way to all others, so this wants an idle machine.
fn passwords(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().unwrap();
    let hasher = Hasher::start(1, Strength::new(PasswordPolicy::Length, None)).unwrap();
    let password = || Password::new("correct horse battery staple".into());
    let hash = || runtime.block_on(hasher.hash(password(), Paid::by_operator()));
    let stored = hash().unwrap();
    let verify = |password, stored| {
        let verified = hasher.verify(password, stored, Paid::by_operator());
        runtime.block_on(verified).unwrap()
    };

    let mut group = criterion.benchmark_group("a password, hashed with the parameters in use");
    group.sampling_mode(SamplingMode::Flat).sample_size(50);
    group.bench_function("set", |bencher| bencher.iter(hash));
    let wrong = || Password::new("incorrect horse battery staple".into());
    assert_eq!(verify(password(), Some(stored.clone())), Verdict::Fits);
    assert_eq!(verify(wrong(), Some(stored.clone())), Verdict::Wrong);
    assert_eq!(verify(password(), None), Verdict::Wrong);
    group.bench_function("right", |bencher| {
        bencher.iter(|| verify(password(), Some(stored.clone())));
    });
    group.bench_function("wrong", |bencher| {
        bencher.iter(|| verify(wrong(), Some(stored.clone())));
    });
    group.bench_function("of an unknown account", |bencher| {
        bencher.iter(|| verify(password(), None));
    });
    group.finish();
}

/// Reads a body as a route does, from its first byte on.
fn read<T: DeserializeOwned + 'static>(request: &HttpRequest, body: &Bytes) -> Option<Json<T>> {
    let part = Ok(body.clone());
    let part: LocalBoxStream<'static, Result<Bytes, PayloadError>> = Box::pin(once(ready(part)));
    let mut payload = Payload::from(part);
    let read = Json::from_request(request, &mut payload).now_or_never();
    read.and_then(Result::ok)
}

/// Is reading a body anything beside what it asks for?
fn bodies_of_requests(criterion: &mut Criterion) {
    let json = ("content-type", "application/json");
    let request = TestRequest::post().insert_header(json).to_http_request();
    let keys = MacKeys::generate(NOW);
    let pair = json!({
        // As long as an access token is.
        "accessToken": "a".repeat(560),
        "refreshToken": first_token(&keys).encode(&keys).unwrap(),
    });
    let pair = Bytes::from(pair.to_string());
    let credentials = json!({"email": "ada@example.com", "password": "correct horse battery"});
    let credentials = Bytes::from(credentials.to_string());
    let read_pair = || read::<bodies::OldPair>(&request, black_box(&pair));
    let read_credentials = || read::<bodies::Credentials>(&request, black_box(&credentials));
    assert!(read_pair().is_some() && read_credentials().is_some());

    let mut group = criterion.benchmark_group("a request's JSON body, read and checked");
    group.bench_function("of a refresh", |bencher| bencher.iter(read_pair));
    group.bench_function("of a log-in", |bencher| bencher.iter(read_credentials));
    group.finish();
}
