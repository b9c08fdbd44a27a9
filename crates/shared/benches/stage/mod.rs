//! What the benches judge with: a ring in a file, a view of the feed, and the same by hand with `jsonwebtoken`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::clock;
use shared::feed::Entry;
use shared::follow::{Follower, Stale, View, address};
use shared::key_file::{KeyFile, create_new};
use shared::keys::KeyRing;
use shared::revocations::Revocations;
use shared::token::{AccessToken, NewToken, Policy, Signer, Validator};
use shared::token_error::TokenError;
use tempfile::TempDir;

use crate::hmac_of_ring;

const ISSUER: &str = "http://issuer";
const AUDIENCE: &str = "http://api";

/// Seconds that are forgiven at `nbf` and `exp`.
const SKEW: u16 = 300;

/// What a gate judges with, and who signs for it.
pub(crate) struct Stage {
    /// When it was made: tokens begin here.
    pub(crate) now: i64,
    secret: Vec<u8>,
    kid: String,
    signer: Signer,
    validator: Validator,
    view: Arc<View>,
    /// A real file: an unknown `kid` makes the validator look at it.
    _folder: TempDir,
}

impl Stage {
    /// A new ring, and a view in which so many sessions have ended.
    pub(crate) fn with(ended: u32) -> Self {
        let now = clock::now();
        let ring = KeyRing::generate(now);
        let text = ring.to_json();
        let written: Value = serde_json::from_str(&text).unwrap();
        let member = |name: &str| {
            let member = written.pointer(&format!("/keys/0/{name}"));
            member.and_then(Value::as_str).unwrap().to_owned()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwt-keys.json");
        assert!(create_new(&path, text.as_bytes(), 0o600).unwrap());
        let keys = KeyFile::open(&path).unwrap();
        let policy = Policy {
            issuer: ISSUER.into(),
            audiences: vec![AUDIENCE.into()],
            skew: SKEW.into(),
        };
        // Nobody is asked: what the feed would say is put in by hand.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let nowhere = address("http://127.0.0.1:1").unwrap();
        let max_age = Duration::from_mins(1);
        let (_, view) = Follower::new(nowhere, &keys, &policy, Stale::Open, max_age).unwrap();
        let entry = |n: u32| Entry {
            sid: format!("{n:08x}-9a4e-4c1b-8f27-5d0e6b3a7c19").into(),
            until: now + 7200,
        };
        view.ended()
            .add(&(0..ended).map(entry).collect::<Vec<_>>(), now);
        assert_eq!(view.ended().len(), usize::try_from(ended).unwrap());
        Self {
            now,
            secret: URL_SAFE_NO_PAD.decode(member("k")).unwrap(),
            kid: member("kid"),
            signer: Signer::new(Arc::clone(&keys), policy.clone()),
            validator: Validator::new(keys, policy),
            view,
            _folder: folder,
        }
    }

    /// Signs as auth-server does.
    pub(crate) fn sign(&self, token: &NewToken<'_>) -> String {
        self.signer.sign(token, self.now).unwrap()
    }

    /// Judges as a gate does, for every request.
    pub(crate) fn admit(&self, bearer: &str) -> Result<AccessToken, TokenError> {
        let now = clock::now();
        let checked = self.validator.check(bearer, now)?;
        let verdict = self.view.judge(checked.claims(), now);
        checked.judge(verdict, now)
    }

    /// A token under this ring's `kid`, with a signature of somebody else's.
    pub(crate) fn forged(&self) -> String {
        let thief = ByHand {
            signing: EncodingKey::from_secret(&[7; 32]),
            ..ByHand::new(self)
        };
        thief.encode(&claims(self.now))
    }
}

/// What a user's token says for an hour from `now`.
pub(crate) fn token(now: i64) -> NewToken<'static> {
    NewToken {
        sub: "0b8f6c52-3d1e-4a7b-9c64-2f5e8d7a1b30",
        sid: "c4d2e6f8-7a19-4b3c-8e5d-1f0a9b8c7d6e",
        jti: "5e9d3c1b-6f28-4d7a-b0c4-8a1e2f3d4c5b",
        iat: now,
        nbf: now,
        exp: now + 3600,
        name: "Ada Lovelace",
        email: "ada@example.com",
        email_verified: false,
        roles: &[],
    }
}

/// The same as whoever uses `jsonwebtoken` would declare it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) sub: String,
    pub(crate) sid: String,
    pub(crate) jti: String,
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) email_verified: bool,
    pub(crate) roles: Vec<String>,
}

/// The claims of [`token`].
pub(crate) fn claims(now: i64) -> Claims {
    let token = token(now);
    Claims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: token.sub.into(),
        sid: token.sid.into(),
        jti: token.jti.into(),
        iat: token.iat,
        nbf: token.nbf,
        exp: token.exp,
        name: token.name.into(),
        email: token.email.into(),
        email_verified: token.email_verified,
        roles: token.roles.to_vec(),
    }
}

/// `jsonwebtoken` with one key and the same rules. It picks no key by `kid` and asks no view.
pub(crate) struct ByHand {
    signing: EncodingKey,
    verifying: DecodingKey,
    header: Header,
    rules: Validation,
}

impl ByHand {
    /// With the first key of that ring.
    pub(crate) fn new(stage: &Stage) -> Self {
        // Every stage does: only the first is heard.
        let _ = hmac_of_ring::PROVIDER.install_default();
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.validate_nbf = true;
        rules.leeway = SKEW.into();
        rules.required_spec_claims =
            HashSet::from(["iss", "aud", "exp", "nbf", "sub"].map(str::to_owned));
        Self {
            signing: EncodingKey::from_secret(&stage.secret),
            verifying: DecodingKey::from_secret(&stage.secret),
            header: Header {
                kid: Some(stage.kid.clone()),
                ..Header::new(Algorithm::HS256)
            },
            rules,
        }
    }

    /// Signs these claims.
    pub(crate) fn encode(&self, claims: &Claims) -> String {
        encode(&self.header, claims, &self.signing).unwrap()
    }

    /// Judges a token.
    pub(crate) fn decode(&self, bearer: &str) -> Result<Claims, jsonwebtoken::errors::Error> {
        decode(bearer, &self.verifying, &self.rules).map(|decoded| decoded.claims)
    }
}
