//! ASP.NET Core Identity's hashes: base64 of a byte for the version and what follows it.
//!
//! Version 2 is `00`, 16 bytes of salt and 32 of PBKDF2-HMAC-SHA-1 with 1 000 iterations. Version 3 is `01`, three
//! big-endian numbers of 32 bits (the hash function, iterations, length of the salt), salt and hash. From the comment
//! at the head of `PasswordHasher<TUser>`.

use std::ops::RangeInclusive;

use crate::derivation::{Derivation, Prf};
use crate::fault::Fault;
use crate::form::Form;
use crate::{ForeignHash, bounds};

const V2: Form = Form("ASP.NET Core Identity v2");
const V3: Form = Form("ASP.NET Core Identity v3");

/// Bytes that Identity itself asks of a salt.
const SALT: RangeInclusive<usize> = 16..=1024;

/// Takes a text without any `$`.
pub(crate) fn read(text: &str) -> Result<ForeignHash, Fault> {
    let is_base64 =
        |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/' || byte == b'=';
    if !text.bytes().all(is_base64) {
        return Err(Fault::Unknown);
    }
    // `AQAAAA` is the version and most of a small number; a first byte of zero is `A` and one of sixteen letters.
    if text.starts_with("AQAAAA") {
        let bytes = V3.bytes("base64", text, 1..=bounds::TEXT)?;
        return v3(&bytes);
    }
    match text.as_bytes() {
        [b'A', b'A'..=b'P', ..] => v2(&V2.bytes("length", text, 49..=49)?),
        _ => Err(Fault::Unknown),
    }
}

fn v2(bytes: &[u8]) -> Result<ForeignHash, Fault> {
    let [0, rest @ ..] = bytes else {
        return Err(Fault::Unknown);
    };
    let (salt, expected) = rest.split_at_checked(16).ok_or(V2.broken("length"))?;
    let derivation = Derivation::pbkdf2(V2, Prf::Sha1, 1000, salt.to_vec(), expected.len())?;
    Ok(ForeignHash {
        form: V2,
        derivation,
        expected: expected.to_vec(),
    })
}

fn v3(bytes: &[u8]) -> Result<ForeignHash, Fault> {
    let [1, rest @ ..] = bytes else {
        return Err(Fault::Unknown);
    };
    let (prf, rest) = number(rest)?;
    let prf = match prf {
        0 => Prf::Sha1,
        1 => Prf::Sha256,
        2 => Prf::Sha512,
        _ => return Err(V3.broken("hash function")),
    };
    let (iterations, rest) = number(rest)?;
    if iterations == 0 {
        return Err(V3.broken("iterations"));
    }
    let (length, rest) = number(rest)?;
    let (salt, expected) = usize::try_from(length)
        .ok()
        .filter(|length| SALT.contains(length))
        .and_then(|length| rest.split_at_checked(length))
        .ok_or(V3.broken("length of the salt"))?;
    if !bounds::OUTPUT.contains(&expected.len()) {
        return Err(V3.broken("hash"));
    }
    let salt = salt.to_vec();
    Ok(ForeignHash {
        form: V3,
        derivation: Derivation::pbkdf2(V3, prf, iterations.into(), salt, expected.len())?,
        expected: expected.to_vec(),
    })
}

fn number(bytes: &[u8]) -> Result<(u32, &[u8]), Fault> {
    bytes
        .split_first_chunk()
        .map(|(number, rest)| (u32::from_be_bytes(*number), rest))
        .ok_or(V3.broken("header"))
}
