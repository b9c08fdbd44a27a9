//! Making a key.
//!
//! `ring` makes keys on P-256 but none for RSA, so `rsa` finds the primes. It runs where an operator types a command,
//! not where tokens are signed.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use zeroize::Zeroizing;

use crate::Algorithm;
use crate::import::der;
use crate::numbers::{Material, Numbers, RsaNumbers, Secret, without_zeros};

/// Bits of a fresh RSA key. Clients verify 2048 bits everywhere, and signing costs a third of what 3072 do.
const RSA_BITS: usize = 2048;

/// No key could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no key could be made: does this system have random numbers?")]
pub struct GenerateError;

/// A fresh key.
pub(crate) fn material(algorithm: Algorithm) -> Result<Material, GenerateError> {
    let numbers = match algorithm {
        Algorithm::Rs256 => rsa_numbers().ok_or(GenerateError)?,
        Algorithm::Es256 => {
            // `ring` does not wipe this: it is gone with the command's process.
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &SystemRandom::new(),
            )
            .map_err(|_| GenerateError)?;
            der::pkcs8(pkcs8.as_ref()).map_err(|_| GenerateError)?
        }
    };
    Material::new(numbers).map_err(|_| GenerateError)
}

fn rsa_numbers() -> Option<Numbers> {
    let key = rsa::PrivateKey::new(&mut rand::rng(), RSA_BITS).ok()?;
    let number = |number: &rsa::BoxedUint| -> Secret {
        without_zeros(Zeroizing::new(number.to_be_bytes().into_vec()))
    };
    let [p, q] = key.primes() else { return None };
    Some(Numbers::Rsa(Box::new(RsaNumbers {
        n: number(key.n()).to_vec(),
        e: number(key.e()).to_vec(),
        d: number(key.d()),
        p: number(p),
        q: number(q),
        dp: number(key.dp()?),
        dq: number(key.dq()?),
        qi: number(&Zeroizing::new(key.qinv()?.retrieve())),
    })))
}
