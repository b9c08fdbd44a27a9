//! Keyturn's access tokens for your own services: judge them, guard routes with them, answer
//! refusals the way Keyturn's clients understand.
//!
//! A service needs three things: the key ring's file (`JWT_KEYS_FILE`), and the issuer and audience
//! that the tokens are made for. It asks nobody per request.
//!
//! "The contract" in these pages is Keyturn's HTTP contract: which faults there are, their codes, the order
//! in which they are judged, and the header `act`, which tells a client to refresh. `docs/API.md` has it.
//! Whoever should know of ended sessions within a second follows auth-server's feed ([`follow`]), or implements
//! [`revocations::Revocations`] himself.
//!
//! actix-web services take the crate `gate`, which brings all of this to their routes. Everybody else calls it:
//!
//! ```
//! use shared::clock;
//! use shared::revocations::Verdict;
//! use shared::token::{AccessToken, Validator};
//! use shared::token_error::TokenError;
//!
//! /// The status, the code and the header `act` of a refusal; or the token.
//! fn admit(
//!     validator: &Validator,
//!     bearer: &str,
//! ) -> Result<AccessToken, (u16, &'static str, Option<&'static str>)> {
//!     let now = clock::now();
//!     let judge = || {
//!         let checked = validator.check(bearer, now)?;
//!         // Whoever knows which sessions have ended says so here.
//!         checked.judge(Verdict::Live, now)
//!     };
//!     judge().map_err(|error: TokenError| (401, error.code(), error.act()))
//! }
//! # use shared::{key_file::KeyFile, keys::KeyRing, token::Policy};
//! # let policy = Policy { issuer: "i".into(), audiences: vec!["a".into()], skew: 0 };
//! # let validator = Validator::new(KeyFile::fixed(KeyRing::generate(0)), policy);
//! # assert_eq!(admit(&validator, "x").unwrap_err(), (401, "token_malformed", None));
//! ```
//!
//! Whoever does not spawn [`key_file::KeyFile::follow`] calls
//! [`key_file::KeyFile::reload_if_changed`] every second instead.
//!
//! # Features
//!
//! - `sign`: [`token::Signer`], for whoever issues tokens.
//! - `follow`: tasks of tokio that follow the ring's file ([`key_file::FileOf::follow`]) and the feed of ended sessions
//!   ([`follow::Follower`]).

mod causes;
pub mod claims;
pub mod clock;
pub mod credential;
pub mod feed;
pub mod files;
#[cfg(feature = "follow")]
pub mod follow;
mod hs256;
mod json;
mod jws;
pub mod key_file;
pub mod keys;
pub mod revocations;
pub mod token;
pub mod token_error;

pub use causes::with_causes;
