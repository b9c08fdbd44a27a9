//! The three binary forms of a private key: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 §A.1.2) and SEC 1 (RFC 5915).

use pkcs1::RsaPrivateKeyRef;
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use sec1::{EcParameters, EcPrivateKey};
use zeroize::Zeroizing;

use super::ImportError;
use crate::numbers::{Numbers, P256_BYTES, P256Numbers, RsaNumbers, without_zeros};

/// `rsaEncryption` (RFC 8017 §A.1).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// `id-ecPublicKey` (RFC 5480 §2.1.1).
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `secp256r1`, which is P-256 (RFC 5480 §2.1.1.1).
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

pub(crate) fn pkcs8(der: &[u8]) -> Result<Numbers, ImportError> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| ImportError::Damaged)?;
    let key = info.private_key.as_bytes();
    match info.algorithm.oid {
        RSA => pkcs1(key),
        EC => {
            let curve = info.algorithm.parameters_oid();
            sec1(key, Some(curve.map_err(|_| ImportError::OtherCurve)?))
        }
        _ => Err(ImportError::OtherAlgorithm),
    }
}

pub(crate) fn pkcs1(der: &[u8]) -> Result<Numbers, ImportError> {
    let key = RsaPrivateKeyRef::try_from(der).map_err(|_| ImportError::Damaged)?;
    let number = |bytes: &[u8]| without_zeros(Zeroizing::new(bytes.to_vec()));
    Ok(Numbers::Rsa(Box::new(RsaNumbers {
        n: number(key.modulus.as_bytes()).to_vec(),
        e: number(key.public_exponent.as_bytes()).to_vec(),
        d: number(key.private_exponent.as_bytes()),
        p: number(key.prime1.as_bytes()),
        q: number(key.prime2.as_bytes()),
        dp: number(key.exponent1.as_bytes()),
        dq: number(key.exponent2.as_bytes()),
        qi: number(key.coefficient.as_bytes()),
    })))
}

/// `curve` is what stands around the key; it may stand inside as well. If it stands nowhere, a point that is not on
/// P-256 is found out when the key is made.
pub(crate) fn sec1(der: &[u8], curve: Option<ObjectIdentifier>) -> Result<Numbers, ImportError> {
    let key = EcPrivateKey::try_from(der).map_err(|_| ImportError::Damaged)?;
    let inside = key.parameters.and_then(EcParameters::named_curve);
    let is_p256 = |curve: Option<ObjectIdentifier>| curve.is_none_or(|curve| curve == P256);
    if !is_p256(curve) || !is_p256(inside) || key.private_key.len() != P256_BYTES {
        return Err(ImportError::OtherCurve);
    }
    let point = key.public_key.and_then(|point| point.strip_prefix(&[4]));
    let (x, y) = point
        .filter(|point| point.len() == 2 * P256_BYTES)
        .and_then(|point| point.split_at_checked(P256_BYTES))
        .ok_or(ImportError::NoPoint)?;
    Ok(Numbers::P256(P256Numbers {
        x: x.to_vec(),
        y: y.to_vec(),
        d: Zeroizing::new(key.private_key.to_vec()),
    }))
}
