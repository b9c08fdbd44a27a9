//! Access tokens that Keyturn and its peers understand alike: signed with a key of Keyturn's ring, which the peers are
//! given.

use shared::clock;
use shared::key_file::KeyFile;
use shared::token::{NewToken, Policy, Signer};
use uuid::Uuid;

use crate::Fault;
use crate::processes::Programs;

const ISSUER: &str = "http://localhost:5000";
const AUDIENCE: &str = "http://localhost:5001";
/// Longer than any run, in seconds.
const LIFE: i64 = 24 * 3600;

/// What is sent, and what it is checked with.
pub struct Tokens {
    /// Good for longer than the run.
    pub valid: String,
    /// The same, but over.
    pub expired: String,
    /// The valid one with another signature.
    pub forged: String,
    secret: String,
}

impl Tokens {
    /// The settings of Keyturn's services that make them accept these tokens.
    pub const KEYTURN: [(&'static str, &'static str); 2] =
        [("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", AUDIENCE)];

    /// Signs them with the key ring of `programs`.
    ///
    /// # Errors
    /// When the ring cannot be read or does not sign.
    pub fn sign(programs: &Programs) -> Result<Self, Fault> {
        let path = programs.data.join("jwt-keys.json");
        let policy = Policy {
            issuer: ISSUER.into(),
            audiences: vec![AUDIENCE.into()],
            skew: 0,
        };
        let signer = Signer::new(KeyFile::open(&path)?, policy);
        let now = clock::now();
        let [sub, sid, jti] = [(); 3].map(|()| Uuid::now_v7().to_string());
        let of_life = |begun: i64| NewToken {
            sub: &sub,
            sid: &sid,
            jti: &jti,
            iat: begun,
            nbf: begun,
            exp: begun + LIFE,
            name: "Ada Lovelace",
            email: "ada@example.com",
            email_verified: false,
            roles: &[],
        };
        let valid = signer.sign(&of_life(now), now)?;
        let expired = signer.sign(&of_life(now - 2 * LIFE), now)?;
        let (rest, _) = valid.rsplit_once('.').ok_or("a token has no signature")?;
        let (_, other) = expired.rsplit_once('.').ok_or("a token has no signature")?;
        let forged = format!("{rest}.{other}");
        let ring: serde_json::Value = serde_json::from_slice(&std::fs::read(&path)?)?;
        let secret = ring
            .pointer("/keys/0/k")
            .and_then(serde_json::Value::as_str)
            .ok_or("the key ring has no key")?
            .to_owned();
        Ok(Self {
            valid,
            expired,
            forged,
            secret,
        })
    }

    /// The environment that makes a peer accept them.
    #[must_use]
    pub fn settings(&self) -> [(&'static str, &str); 3] {
        [
            ("JWT_SECRET", &self.secret),
            ("JWT_ISSUER", ISSUER),
            ("JWT_AUDIENCE", AUDIENCE),
        ]
    }
}
