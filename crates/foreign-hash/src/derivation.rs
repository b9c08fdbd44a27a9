//! What a hash derives from a password, with parameters that were found to be within bounds.

use aes::Aes256;
use argon2::{Algorithm, Argon2, Params, Version};
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use crate::bounds;
use crate::fault::Fault;
use crate::form::Form;

/// How to derive the bytes to compare. Holds nothing that is over a bound.
#[derive(Clone)]
pub(crate) enum Derivation {
    Argon2 {
        argon2: Argon2<'static>,
        salt: Vec<u8>,
    },
    Bcrypt {
        cost: u32,
        salt: [u8; 16],
        /// Django hashes the password before, lest bcrypt cut it.
        prehashed: bool,
    },
    Pbkdf2 {
        prf: Prf,
        iterations: u32,
        salt: Vec<u8>,
    },
    Scrypt {
        params: scrypt::Params,
        salt: Vec<u8>,
    },
    /// The key that Firebase encrypts its project's key with; compared is the key stream.
    Firebase {
        params: scrypt::Params,
        salt: Vec<u8>,
    },
}

/// What PBKDF2 iterates.
#[derive(Clone, Copy)]
pub(crate) enum Prf {
    Sha1,
    Sha256,
    Sha512,
}

impl Prf {
    /// Bytes that it puts out at once.
    pub(crate) fn block(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn bound(self) -> u64 {
        match self {
            Self::Sha1 => bounds::PBKDF2_SHA1_WORK,
            Self::Sha256 => bounds::PBKDF2_SHA256_WORK,
            Self::Sha512 => bounds::PBKDF2_SHA512_WORK,
        }
    }
}

impl Derivation {
    /// Argon2 with `m` in KiB.
    pub(crate) fn argon2(
        form: Form,
        (algorithm, version): (Algorithm, Version),
        [m, t, p]: [u64; 3],
        salt: Vec<u8>,
        output: usize,
    ) -> Result<Self, Fault> {
        let work = m.saturating_mul(t);
        let m = form.at_most("m in KiB", m, bounds::MEMORY / 1024)?;
        form.at_most("m·t in KiB", work, bounds::ARGON2_WORK)?;
        let t = form.at_most("t", t, bounds::ARGON2_WORK)?;
        let p = form.at_most("p", p, bounds::LANES)?;
        // What is left to be wrong: a lane takes 8 KiB at least.
        let params = Params::new(m, t, p, Some(output)).map_err(|_| form.broken("m"))?;
        let argon2 = Argon2::new(algorithm, version, params);
        Ok(Self::Argon2 { argon2, salt })
    }

    pub(crate) fn pbkdf2(
        form: Form,
        prf: Prf,
        iterations: u64,
        salt: Vec<u8>,
        output: usize,
    ) -> Result<Self, Fault> {
        let blocks = u64::try_from(output.div_ceil(prf.block())).unwrap_or(u64::MAX);
        let work = iterations.saturating_mul(blocks);
        form.at_most("iterations × output blocks", work, prf.bound())?;
        let iterations = form.at_most("iterations", iterations, prf.bound())?;
        Ok(Self::Pbkdf2 {
            prf,
            iterations,
            salt,
        })
    }

    pub(crate) fn scrypt(form: Form, costs: ScryptCosts, salt: Vec<u8>) -> Result<Self, Fault> {
        let params = costs.params(form)?;
        Ok(Self::Scrypt { params, salt })
    }

    /// Fills `output`, or has no memory for it.
    pub(crate) fn derive(&self, password: &[u8], output: &mut [u8]) -> Option<()> {
        match self {
            Self::Argon2 { argon2, salt } => {
                argon2.hash_password_into(password, salt, output).ok()?;
            }
            Self::Bcrypt {
                cost,
                salt,
                prehashed,
            } => {
                if *prehashed {
                    bcrypt(*cost, *salt, &hex_of_sha256(password), output);
                } else {
                    bcrypt(*cost, *salt, password, output);
                }
            }
            Self::Pbkdf2 {
                prf,
                iterations,
                salt,
            } => match prf {
                Prf::Sha1 => pbkdf2_hmac::<Sha1>(password, salt, *iterations, output),
                Prf::Sha256 => pbkdf2_hmac::<Sha256>(password, salt, *iterations, output),
                Prf::Sha512 => pbkdf2_hmac::<Sha512>(password, salt, *iterations, output),
            },
            Self::Scrypt { params, salt } => {
                scrypt::scrypt(password, salt, params, output).ok()?;
            }
            Self::Firebase { params, salt } => {
                let mut key = Zeroizing::new([0; 32]);
                scrypt::scrypt(password, salt, params, key.as_mut_slice()).ok()?;
                output.fill(0);
                Ctr128BE::<Aes256>::new((&*key).into(), &[0; 16].into()).apply_keystream(output);
            }
        }
        Some(())
    }
}

/// The parameters of scrypt as they are written.
pub(crate) struct ScryptCosts {
    /// `N` as a power of two.
    pub(crate) log_n: u64,
    pub(crate) r: u64,
    pub(crate) p: u64,
}

impl ScryptCosts {
    pub(crate) fn params(self, form: Form) -> Result<scrypt::Params, Fault> {
        let n = u32::try_from(self.log_n)
            .ok()
            .and_then(|log_n| 1u64.checked_shl(log_n))
            .unwrap_or(u64::MAX);
        let memory = n.saturating_mul(self.r).saturating_mul(128);
        let work = n.saturating_mul(self.r).saturating_mul(self.p);
        let r = form.at_most("r", self.r, bounds::SCRYPT_BLOCK)?;
        let p = form.at_most("p", self.p, bounds::LANES)?;
        form.at_most("128·N·r in bytes", memory, bounds::MEMORY)?;
        form.at_most("N·r·p", work, bounds::SCRYPT_WORK)?;
        u8::try_from(self.log_n)
            .ok()
            .filter(|log_n| *log_n > 0)
            .and_then(|log_n| scrypt::Params::new(log_n, r, p).ok())
            .ok_or(form.broken("N, r or p"))
    }
}

/// As everybody's bcrypt does it: a NUL is put behind the password, and 72 bytes of that count. A NUL within it is a
/// byte like others, as to Go, Java, .NET, Node and Python of today. Where it ended the password, as in C, no password
/// with a NUL in it fits here.
fn bcrypt(cost: u32, salt: [u8; 16], password: &[u8], output: &mut [u8]) {
    let mut key = Zeroizing::new([0; 72]);
    let length = (password.len() + 1).min(key.len());
    for (to, from) in key.iter_mut().zip(password) {
        *to = *from;
    }
    let (key, _) = key.split_at(length);
    let derived = bcrypt::bcrypt(cost, salt, key);
    // The last of 24 bytes was never written down.
    for (to, from) in output.iter_mut().zip(derived) {
        *to = from;
    }
}

fn hex_of_sha256(password: &[u8]) -> Zeroizing<Vec<u8>> {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    let hash = Sha256::digest(password);
    Zeroizing::new(
        hash.iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
            .collect(),
    )
}
