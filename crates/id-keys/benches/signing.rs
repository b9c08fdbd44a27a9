//! What an `id_token` costs beside the access token that goes out with it: signing, recognising, making and reading keys.
//!
//! Times of two machines do not compare; the ratios of one run do.

#![expect(
    clippy::unwrap_used,
    reason = "what cannot be set up cannot be measured"
)]

use std::hint::black_box;

use criterion::Criterion;
use id_keys::{Algorithm, IdKeys};
use serde_json::json;
use shared::key_file::KeyFile;
use shared::keys::KeyRing;
use shared::token::{NewToken, Policy, Signer};

/// Any second will do.
const NOW: i64 = 1_000_000_000;
const SID: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

fn main() {
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    let keys = IdKeys::generate(NOW).unwrap();
    signing(&mut criterion, &keys);
    recognising(&mut criterion, &keys);
    the_ring(&mut criterion, &keys);
    criterion.final_summary();
}

fn claims() -> serde_json::Value {
    json!({
        "iss": "https://id.example", "sub": SID, "aud": "orders", "azp": "orders", "exp": NOW + 600, "iat": NOW,
        "auth_time": NOW, "nonce": "n-0S6_WzA2Mj", "sid": SID, "acr": "1", "amr": ["pwd"],
        "at_hash": "77QmUPtjPfzWtF2AnpK9RQ", "name": "Alice Example", "email": "alice@example.com",
    })
}

/// Is an `id_token` worth a thought beside what a refresh costs anyway?
fn signing(criterion: &mut Criterion, keys: &IdKeys) {
    let claims = claims();
    let mut group = criterion.benchmark_group("signing a token");
    for algorithm in Algorithm::ALL {
        let key = keys.active(algorithm, NOW).unwrap();
        group.bench_function(format!("{algorithm}, an id_token"), |bencher| {
            bencher.iter(|| key.sign("JWT", black_box(&claims)).unwrap());
        });
    }
    let policy = Policy {
        issuer: "https://id.example".into(),
        audiences: vec!["https://api.example".into()],
        skew: 0,
    };
    let signer = Signer::new(KeyFile::fixed(KeyRing::generate(NOW)), policy);
    let token = NewToken {
        sub: SID,
        sid: SID,
        jti: SID,
        iat: NOW,
        nbf: NOW,
        exp: NOW + 600,
        name: "Alice Example",
        email: "alice@example.com",
        email_verified: true,
        roles: &[],
    };
    group.bench_function("HS256, an access token", |bencher| {
        bencher.iter(|| signer.sign(black_box(&token), NOW).unwrap());
    });
    group.finish();
}

/// What an `id_token_hint` costs whoever serves it to strangers.
fn recognising(criterion: &mut Criterion, keys: &IdKeys) {
    let mut group = criterion.benchmark_group("recognising an id_token");
    for algorithm in Algorithm::ALL {
        let key = keys.active(algorithm, NOW).unwrap();
        let token = key.sign("JWT", &claims()).unwrap();
        group.bench_function(algorithm.name(), |bencher| {
            bencher.iter(|| keys.recognise(black_box(&token), "JWT").unwrap());
        });
    }
    group.finish();
}

/// What a command waits for, and what a new file costs in the middle of requests.
fn the_ring(criterion: &mut Criterion, keys: &IdKeys) {
    let text = keys.to_json();
    let mut group = criterion.benchmark_group("the ring of one RS256 and one ES256 key");
    group.sample_size(10);
    group.bench_function("made", |bencher| {
        bencher.iter(|| IdKeys::generate(NOW).unwrap());
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| IdKeys::parse(black_box(text.as_bytes())).unwrap());
    });
    group.bench_function("written for clients", |bencher| {
        bencher.iter(|| keys.jwks(black_box(NOW)));
    });
    group.finish();
}
