//! The second ring: the asymmetric keys that sign `id_tokens` and logout tokens, RS256 and ES256.
//!
//! Access tokens stay HS256 of `shared`'s ring, whose every reader could sign. An `id_token` is read by programs of other
//! people, which get the public parts of these keys as a JWKS (RFC 7517). The private parts are in a file of their own,
//! `ID_KEYS_FILE`, which is followed like the first ring's ([`IdKeyFile`]).
//!
//! Knows no HTTP, no database and no clock: times are Unix seconds, given by the caller. [`IdKeys`] is never changed in
//! place; every change makes a new one, and whoever asked for it writes the file.
//!
//! Signatures and their verification are `ring`'s. The crate `rsa` finds the primes of a fresh RSA key, and does nothing
//! else here, so that no remote caller can time it.
//!
//! ```
//! use id_keys::{Algorithm, IdKeys};
//!
//! # let json = include_bytes!("../tests/keys/ring.json");
//! # let now = 1_000;
//! let keys = IdKeys::parse(json)?;
//! let key = keys.active(Algorithm::Rs256, now).ok_or("no key signs")?;
//! let token = key.sign("JWT", &serde_json::json!({"sub": "alice"}))?;
//! assert_eq!(keys.recognise(&token, "JWT")?, r#"{"sub":"alice"}"#);
//! assert!(keys.jwks(now).contains(key.kid()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod change;
mod generate;
mod import;
mod json;
mod jwk;
mod key;
mod numbers;
mod parse;
mod recognise;
mod ring_of_keys;
mod write;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use change::{ChangeError, Changed};
pub use generate::GenerateError;
pub use import::ImportError;
pub use key::{IdKey, SignError};
pub use numbers::KeyFault;
pub use parse::IdKeysError;
pub use recognise::NotGenuine;
pub use ring_of_keys::{IdKeyFile, IdKeys, RETIRING_SECONDS};

#[cfg(test)]
mod tests;
