//! The numbers that a key consists of, as a JWK has them (RFC 7518 §6), and the pair of `ring` made of them.
//!
//! Knows no names, no times and no JSON. Our own copy of the private numbers is wiped from memory when dropped; the one
//! inside `ring` is not, since `ring` offers no way to.

use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use zeroize::Zeroizing;

use crate::Algorithm;

/// A private number, big-endian.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// Bytes of a coordinate or of the private number of P-256.
pub(crate) const P256_BYTES: usize = 32;

/// Lengths of an RSA modulus that `ring` signs with, in bits. Less than the first is refused everywhere (RFC 7518 §3.3).
const RSA_BITS: [usize; 3] = [2048, 3072, 4096];

/// What makes a key unfit to sign with, whatever it is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// An RSA modulus that is too short, or of a length that `ring` does not sign with.
    #[error(
        "has {0} bits, and RS256 needs at least 2048 (RFC 7518, section 3.3); here it can be 2048, 3072 or 4096"
    )]
    RsaBits(usize),
    /// A public RSA exponent that is even, below 65537 or longer than 33 bits.
    #[error("has a public exponent other than an odd number from 65537 to 33 bits")]
    Exponent,
    /// The private numbers belong to another key, or to none.
    #[error("has a private part that does not fit its public part")]
    Mismatch,
}

/// The numbers of an RSA key; none has leading zeros.
pub(crate) struct RsaNumbers {
    pub(crate) n: Vec<u8>,
    pub(crate) e: Vec<u8>,
    pub(crate) d: Secret,
    pub(crate) p: Secret,
    pub(crate) q: Secret,
    pub(crate) dp: Secret,
    pub(crate) dq: Secret,
    pub(crate) qi: Secret,
}

/// The numbers of a key on P-256; each of [`P256_BYTES`] bytes.
pub(crate) struct P256Numbers {
    pub(crate) x: Vec<u8>,
    pub(crate) y: Vec<u8>,
    pub(crate) d: Secret,
}

/// The numbers of a key of either kind.
pub(crate) enum Numbers {
    Rsa(Box<RsaNumbers>),
    P256(P256Numbers),
}

impl Numbers {
    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
        }
    }

    /// The public numbers, with the names that a JWK gives them.
    pub(crate) fn public(&self) -> [(&'static str, &[u8]); 2] {
        match self {
            Self::Rsa(rsa) => [("n", &rsa.n), ("e", &rsa.e)],
            Self::P256(ec) => [("x", &ec.x), ("y", &ec.y)],
        }
    }

    /// The private numbers, with the names that a JWK gives them.
    pub(crate) fn secret(&self) -> Vec<(&'static str, &Secret)> {
        match self {
            Self::Rsa(rsa) => vec![
                ("d", &rsa.d),
                ("p", &rsa.p),
                ("q", &rsa.q),
                ("dp", &rsa.dp),
                ("dq", &rsa.dq),
                ("qi", &rsa.qi),
            ],
            Self::P256(ec) => vec![("d", &ec.d)],
        }
    }
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

/// A key that has shown that it can sign.
pub(crate) struct Material {
    numbers: Numbers,
    pair: Pair,
}

impl Material {
    /// Makes a key of its numbers, and signs and verifies once with it.
    ///
    /// # Errors
    /// [`KeyFault`], if they are no key that we could use.
    pub(crate) fn new(numbers: Numbers) -> Result<Self, KeyFault> {
        let pair = match &numbers {
            Numbers::Rsa(rsa) => Pair::Rsa(rsa_pair(rsa)?),
            Numbers::P256(ec) => Pair::P256(
                EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    &ec.d,
                    &point(ec),
                    &SystemRandom::new(),
                )
                .map_err(|_| KeyFault::Mismatch)?,
            ),
        };
        let material = Self { numbers, pair };
        // ring looks at some of the private RSA numbers only when it signs.
        let probe = b"does this key sign?";
        let signature = material.sign(probe).ok_or(KeyFault::Mismatch)?;
        if !material.verifies(probe, &signature) {
            return Err(KeyFault::Mismatch);
        }
        Ok(material)
    }

    pub(crate) fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// The signature as a JWS has it: for ES256 both numbers, 32 bytes each (RFC 7518 §3.4). `None` if the system has no
    /// random numbers, or the processor miscalculated: `ring` lets no wrong RSA signature out.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .ok()?;
                Some(signature)
            }
            Pair::P256(pair) => {
                let signature = pair.sign(&random, message).ok()?;
                Some(signature.as_ref().to_vec())
            }
        }
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match (&self.numbers, &self.pair) {
            (Numbers::Rsa(rsa), _) => RsaPublicKeyComponents {
                n: &rsa.n,
                e: &rsa.e,
            }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            .is_ok(),
            (Numbers::P256(_), Pair::P256(pair)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key())
                    .verify(message, signature)
                    .is_ok()
            }
            (Numbers::P256(_), Pair::Rsa(_)) => false,
        }
    }
}

fn rsa_pair(rsa: &RsaNumbers) -> Result<RsaKeyPair, KeyFault> {
    let bits = bits(&rsa.n);
    if !RSA_BITS.contains(&bits) {
        return Err(KeyFault::RsaBits(bits));
    }
    let odd = rsa.e.last().is_some_and(|last| last % 2 == 1);
    if !odd || !(17..=33).contains(&self::bits(&rsa.e)) {
        return Err(KeyFault::Exponent);
    }
    RsaKeyPair::from_components(&KeyPairComponents {
        public_key: PublicKeyComponents {
            n: rsa.n.as_slice(),
            e: rsa.e.as_slice(),
        },
        d: rsa.d.as_slice(),
        p: rsa.p.as_slice(),
        q: rsa.q.as_slice(),
        dP: rsa.dp.as_slice(),
        dQ: rsa.dq.as_slice(),
        qInv: rsa.qi.as_slice(),
    })
    .map_err(|_| KeyFault::Mismatch)
}

/// The public point as SEC 1 §2.3.3 writes it, uncompressed.
fn point(ec: &P256Numbers) -> Vec<u8> {
    [&[4], ec.x.as_slice(), ec.y.as_slice()].concat()
}

/// Bits of a number without leading zeros.
fn bits(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    (8 * number.len()).saturating_sub(usize::try_from(unused).unwrap_or_default())
}

/// A number without its leading zeros, which some programs write and `ring` refuses.
pub(crate) fn without_zeros(mut number: Secret) -> Secret {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    number
}
