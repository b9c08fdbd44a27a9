//! What the small things of an access token cost: judging, signing, reading the key ring.
//!
//! Everything goes through the public API, as a gate calls it, the clock included. Times of two machines do not compare;
//! the ratios of one run do.

#![expect(
    clippy::unwrap_used,
    reason = "what cannot be set up cannot be measured"
)]

#[path = "../tests/hmac_of_ring/mod.rs"]
mod hmac_of_ring;
mod stage;

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use shared::clock;
use shared::keys::KeyRing;
use shared::token_error::TokenError;

use stage::{ByHand, Stage, token};

/// Ended sessions in a full view, each of which still counts.
const ENDED: u32 = 100_000;

fn main() {
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    good_tokens(&mut criterion);
    refused_tokens(&mut criterion);
    signing(&mut criterion);
    key_ring(&mut criterion);
    criterion.final_summary();
}

/// Does a full view cost more than an empty one? And how do both stand to another library, which asks no view?
fn good_tokens(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a good token, by who judges it");
    for (name, ended) in [
        ("nobody's session ended", 0),
        ("100 000 sessions ended", ENDED),
    ] {
        let stage = Stage::with(ended);
        let good = stage.sign(&token(stage.now));
        assert!(stage.admit(&good).is_ok());
        group.bench_function(name, |bencher| {
            bencher.iter(|| stage.admit(black_box(&good)));
        });
    }
    let stage = Stage::with(0);
    let good = stage.sign(&token(stage.now));
    let by_hand = ByHand::new(&stage);
    assert_eq!(by_hand.decode(&good).unwrap().sid, token(stage.now).sid);
    group.bench_function("jsonwebtoken", |bencher| {
        bencher.iter(|| by_hand.decode(black_box(&good)));
    });
    group.finish();
}

/// Does a refusal cost more than a good token? It should not: a flood of bad ones would be a lever.
fn refused_tokens(criterion: &mut Criterion) {
    let stage = Stage::with(0);
    let by_hand = ByHand::new(&stage);
    let mut late = token(stage.now);
    late.exp = stage.now - 3600;
    let expired = stage.sign(&late);
    let unknown_key = Stage::with(0).sign(&token(stage.now));
    let forged = stage.forged();

    let mut group = criterion.benchmark_group("a refused token, by what is wrong with it");
    for (name, bad, why) in [
        ("expired", &expired, TokenError::Expired),
        ("forged", &forged, TokenError::BadSignature),
        ("unknown kid", &unknown_key, TokenError::UnknownKey),
    ] {
        assert_eq!(stage.admit(bad), Err(why));
        group.bench_function(name, |bencher| {
            bencher.iter(|| stage.admit(black_box(bad)));
        });
    }
    for (name, bad) in [
        ("expired, jsonwebtoken", &expired),
        ("forged, jsonwebtoken", &forged),
    ] {
        assert!(by_hand.decode(bad).is_err());
        group.bench_function(name, |bencher| {
            bencher.iter(|| by_hand.decode(black_box(bad)));
        });
    }
    group.finish();
}

/// What a log-in or a refresh pays for its access token.
fn signing(criterion: &mut Criterion) {
    let stage = Stage::with(0);
    let by_hand = ByHand::new(&stage);
    let claims = stage::claims(stage.now);
    assert!(stage.admit(&by_hand.encode(&claims)).is_ok());
    let mut group = criterion.benchmark_group("signing a token, by who signs it");
    group.bench_function("the signer", |bencher| {
        bencher.iter(|| stage.sign(black_box(&token(stage.now))));
    });
    group.bench_function("jsonwebtoken", |bencher| {
        bencher.iter(|| by_hand.encode(black_box(&claims)));
    });
    group.finish();
}

/// What a new file of the key ring costs, in the middle of requests.
fn key_ring(criterion: &mut Criterion) {
    let now = clock::now();
    let mut ring = KeyRing::generate(now);
    let mut group = criterion.benchmark_group("reading the key ring, by its keys");
    for keys in 1..=3 {
        let text = ring.to_json();
        assert_eq!(
            KeyRing::parse(text.as_bytes()).unwrap().iter().count(),
            keys
        );
        group.bench_function(keys.to_string(), |bencher| {
            bencher.iter(|| KeyRing::parse(black_box(text.as_bytes())));
        });
        ring = ring
            .rotate(now, Duration::ZERO, Duration::from_hours(24))
            .ring;
    }
    group.finish();
}
