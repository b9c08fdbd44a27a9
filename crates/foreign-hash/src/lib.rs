//! Verifies passwords against the hashes of other systems: those that users bring along when they move to Keyturn.
//!
//! A hash is recognised by its form alone, and says with it what verifying it costs. Who imports hashes would let
//! others decide how long a log-in takes, so [`ForeignHash::parse`] refuses what costs more than [`bounds`] allow,
//! and what is too short to prove anything. Whatever the text, nothing here panics.
//!
//! No account, no thread and no file is known here, and no hash is made: who verified a password keeps it as
//! Argon2id from then on.
//!
//! | form | as written by |
//! |---|---|
//! | `$argon2d$…`, `$argon2i$…`, `$argon2id$…`, of version 19 or 16, or of none (16) | the reference implementation, PHP, Python, libsodium, Keyturn |
//! | `$2a$…`, `$2b$…`, `$2y$…` | bcrypt of every origin; `$2x$` is refused |
//! | `$scrypt$ln=…,r=…,p=…$salt$hash` | the PHC string format, passlib |
//! | `$pbkdf2-sha256$i=…,l=…$salt$hash`, also `-sha512`, `-sha1` or nothing (SHA-1), without `l`, padded or not | the PHC string format |
//! | `$pbkdf2-sha256$29000$salt$hash`, also `-sha512`, or nothing (SHA-1) | passlib |
//! | `pbkdf2_sha256$…`, `pbkdf2_sha1$…`, `argon2$argon2id$…`, `bcrypt$$2b$…`, `bcrypt_sha256$$2b$…`, `scrypt$…` | Django |
//! | base64 of bytes that begin with 0 or 1 | ASP.NET Core Identity, versions 2 and 3 |
//! | `$fbscrypt$v=1,n=…,r=…,p=1,ss=…,sk=…$salt$hash` | Supabase, of hashes from Firebase; [`FirebaseParameters::stored`] |
//!
//! ```
//! use foreign_hash::{Fault, ForeignHash};
//!
//! let hash = ForeignHash::parse("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")?;
//! assert_eq!(hash.form(), "bcrypt");
//! assert!(hash.verify("U*U"));
//! assert!(!hash.verify("U*U*"));
//! # Ok::<(), Fault>(())
//! ```

pub mod bounds;
mod derivation;
mod django;
mod fault;
mod firebase;
mod form;
mod identity;
mod modular_crypt;

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use crate::fault::Fault;
pub use crate::firebase::FirebaseParameters;

use crate::derivation::Derivation;
use crate::form::Form;

/// A hash that another system made, and that can be verified at a bounded cost.
#[derive(Clone)]
pub struct ForeignHash {
    form: Form,
    derivation: Derivation,
    /// What the right password derives.
    expected: Vec<u8>,
}

impl ForeignHash {
    /// Reads a hash. White space around it is no part of any form.
    ///
    /// # Errors
    ///
    /// [`Fault`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > bounds::TEXT {
            return Err(Fault::Unknown);
        }
        if text.starts_with('!') {
            return Err(Fault::Unusable);
        }
        let fields: Vec<&str> = text.split('$').collect();
        match fields.as_slice() {
            ["", rest @ ..] => modular_crypt::read(rest),
            [text] => identity::read(text),
            [hasher, rest @ ..] => django::read(hasher, rest),
            [] => Err(Fault::Unknown),
        }
    }

    /// The name of its form, for a log or a statistic.
    #[must_use]
    pub fn form(&self) -> &'static str {
        self.form.0
    }

    /// Is this the password? That takes about a second at most, and up to [`bounds::MEMORY`]: a work for the threads
    /// that hash. How long depends on the hash and hardly on the password.
    ///
    /// The other system hashed the password as it was typed there, in UTF-8; no other spelling of it fits.
    #[must_use]
    pub fn verify(&self, password: &str) -> bool {
        self.verify_bytes(password.as_bytes())
    }

    fn verify_bytes(&self, password: &[u8]) -> bool {
        let mut derived = Zeroizing::new(vec![0; self.expected.len()]);
        self.derivation.derive(password, &mut derived).is_some()
            && derived.ct_eq(&self.expected).into()
    }
}

impl fmt::Debug for ForeignHash {
    /// Neither salt nor hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ForeignHash").field(&self.form()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_salt_nor_hash() {
        let hash = "$pbkdf2-sha256$1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ";
        let hash = ForeignHash::parse(hash).unwrap();
        assert_eq!(format!("{hash:?}"), "ForeignHash(\"PBKDF2-HMAC-SHA-256\")");
    }

    /// From wrapper.c of Openwall's `crypt_blowfish` 1.3: the passwords are no UTF-8.
    #[test]
    fn bytes_above_127_are_hashed_as_the_repaired_bcrypt_does() {
        for (password, hash) in [
            (
                b"\xa3".as_slice(),
                "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq",
            ),
            (
                b"\xa3",
                "$2a$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq",
            ),
            (
                b"\xff\xa3345",
                "$2y$05$/OK.fbVrR/bpIqNJ5ianF.nRht2l/HRhr6zmCp9vYUvvsqynflf9e",
            ),
            (
                b"\xa3ab",
                "$2y$05$/OK.fbVrR/bpIqNJ5ianF.6IflQkJytoRVc1yuaNtHfiuq.FRlSIS",
            ),
            (
                &[0xaa; 80],
                "$2a$05$/OK.fbVrR/bpIqNJ5ianF.swQOIzjOiJ9GHEPuhEkvqrUyvWhEMx6",
            ),
            (
                &b"\x55\xaa\xff".repeat(24),
                "$2a$05$/OK.fbVrR/bpIqNJ5ianF.9tQZzcJfm3uj2NvJ/n5xkhpqLrMpWCe",
            ),
        ] {
            let parsed = ForeignHash::parse(hash).unwrap();
            assert!(parsed.verify_bytes(password), "{hash}");
            assert!(!parsed.verify_bytes(b"another"), "{hash}");
        }
    }

    /// From the tests of RFC 6070, the only ones with a NUL.
    #[test]
    fn a_nul_is_a_byte_like_others_to_pbkdf2() {
        let parsed =
            ForeignHash::parse("$pbkdf2$i=4096,l=16$c2EAbHQ$Vvpqp1VICZ3MN9fwNCXgww").unwrap();
        assert!(parsed.verify("pass\0word"));
        assert!(!parsed.verify("pass"));
    }
}
