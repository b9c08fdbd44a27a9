//! Texts that begin with `$` and a name: the PHC string format, and the older "modular crypt format" beside it.
//!
//! <https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md>

use std::ops::RangeInclusive;

use argon2::{Algorithm, Version};
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

use crate::derivation::{Derivation, Prf, ScryptCosts};
use crate::fault::Fault;
use crate::form::Form;
use crate::{ForeignHash, bounds, firebase};

/// Some implementations did not clear the bits that no byte of the salt takes; all ignore them.
const BCRYPT_SALT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    NO_PAD.with_decode_allow_trailing_bits(true),
);
const BCRYPT_HASH: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);

/// Bytes of a salt; more than 1024 passlib refuses, too.
const SALT: RangeInclusive<usize> = 1..=1024;
/// RFC 9106 §3.1 asks for 8.
const ARGON2_SALT: RangeInclusive<usize> = 8..=1024;

/// Takes the fields after the first `$`.
pub(crate) fn read(fields: &[&str]) -> Result<ForeignHash, Fault> {
    match fields {
        ["argon2d", rest @ ..] => argon2(Form("Argon2d"), Algorithm::Argon2d, rest),
        ["argon2i", rest @ ..] => argon2(Form("Argon2i"), Algorithm::Argon2i, rest),
        ["argon2id", rest @ ..] => argon2(Form("Argon2id"), Algorithm::Argon2id, rest),
        ["2" | "2a" | "2b" | "2x" | "2y", ..] => bcrypt(Form("bcrypt"), false, fields),
        ["scrypt", rest @ ..] => scrypt(rest),
        ["pbkdf2" | "pbkdf2-sha1", rest @ ..] => pbkdf2(Form("PBKDF2-HMAC-SHA-1"), Prf::Sha1, rest),
        ["pbkdf2-sha256", rest @ ..] => pbkdf2(Form("PBKDF2-HMAC-SHA-256"), Prf::Sha256, rest),
        ["pbkdf2-sha512", rest @ ..] => pbkdf2(Form("PBKDF2-HMAC-SHA-512"), Prf::Sha512, rest),
        ["fbscrypt", rest @ ..] => firebase::read(rest),
        _ => Err(Fault::Unknown),
    }
}

/// Takes the fields after the algorithm. The version is 16 where none is written.
pub(crate) fn argon2(
    form: Form,
    algorithm: Algorithm,
    fields: &[&str],
) -> Result<ForeignHash, Fault> {
    let (version, params, salt, hash) = match fields {
        [params, salt, hash] | ["v=16", params, salt, hash] => (Version::V0x10, params, salt, hash),
        ["v=19", params, salt, hash] => (Version::V0x13, params, salt, hash),
        [_, _, _, _] => return Err(form.broken("version")),
        _ => return Err(form.broken("number of fields")),
    };
    let [Some(m), Some(t), Some(p)] = form.parameters(params, ["m", "t", "p"])? else {
        return Err(form.broken("parameters"));
    };
    let costs = [
        form.number("m", m)?,
        form.number("t", t)?,
        form.number("p", p)?,
    ];
    let salt = form.bytes("salt", salt, ARGON2_SALT)?;
    let expected = form.bytes("hash", hash, bounds::OUTPUT)?;
    let derivation = Derivation::argon2(form, (algorithm, version), costs, salt, expected.len())?;
    Ok(ForeignHash {
        form,
        derivation,
        expected,
    })
}

/// Takes the fields from the variant on: `2b`, the cost, and 22 characters of salt with 31 of hash.
pub(crate) fn bcrypt(form: Form, prehashed: bool, fields: &[&str]) -> Result<ForeignHash, Fault> {
    let (variant, cost, salted) = match fields {
        [variant, cost, salted] => (*variant, *cost, *salted),
        _ => return Err(form.broken("number of fields")),
    };
    // `2x` marks hashes of an implementation that mistook bytes above 127, `2` those of the first one.
    if !["2a", "2b", "2y"].contains(&variant) {
        return Err(form.broken("variant: only 2a, 2b and 2y are known"));
    }
    let digits = cost.strip_prefix('0').unwrap_or(cost);
    let cost = match cost.len() {
        2 => form.number("cost", digits)?,
        _ => return Err(form.broken("cost")),
    };
    if cost < 4 {
        return Err(form.broken("cost"));
    }
    let cost = form.at_most("cost", cost, bounds::BCRYPT_COST)?;
    let (salt, hash) = salted.split_at_checked(22).ok_or(form.broken("salt"))?;
    let salt = BCRYPT_SALT.decode(salt).ok();
    let salt = salt
        .and_then(|salt| <[u8; 16]>::try_from(salt).ok())
        .ok_or(form.broken("salt"))?;
    let expected = BCRYPT_HASH.decode(hash).ok();
    let expected = expected
        .filter(|hash| hash.len() == 23)
        .ok_or(form.broken("hash"))?;
    Ok(ForeignHash {
        form,
        derivation: Derivation::Bcrypt {
            cost,
            salt,
            prehashed,
        },
        expected,
    })
}

fn scrypt(fields: &[&str]) -> Result<ForeignHash, Fault> {
    let form = Form("scrypt");
    let [params, salt, hash] = fields else {
        return Err(form.broken("number of fields"));
    };
    let [Some(log_n), Some(r), Some(p)] = form.parameters(params, ["ln", "r", "p"])? else {
        return Err(form.broken("parameters"));
    };
    let costs = ScryptCosts {
        log_n: form.number("ln", log_n)?,
        r: form.number("r", r)?,
        p: form.number("p", p)?,
    };
    let salt = form.bytes("salt", salt, SALT)?;
    let expected = form.bytes("hash", hash, bounds::OUTPUT)?;
    Ok(ForeignHash {
        form,
        derivation: Derivation::scrypt(form, costs, salt)?,
        expected,
    })
}

/// PHC's `i=29000,l=32` or passlib's `29000`, whose hash is as long as the hash function's.
fn pbkdf2(form: Form, prf: Prf, fields: &[&str]) -> Result<ForeignHash, Fault> {
    let [params, salt, hash] = fields else {
        return Err(form.broken("number of fields"));
    };
    let (iterations, length) = if params.contains('=') {
        let [Some(iterations), length] = form.parameters(params, ["i", "l"])? else {
            return Err(form.broken("parameters"));
        };
        let length = length.map(|length| form.number("l", length)).transpose()?;
        (iterations, length)
    } else {
        (*params, u64::try_from(prf.block()).ok())
    };
    let iterations = form.number("iterations", iterations)?;
    // passlib writes `.` where base64 has `+`.
    let salt = form.bytes("salt", &salt.replace('.', "+"), SALT)?;
    let expected = form.bytes("hash", &hash.replace('.', "+"), bounds::OUTPUT)?;
    if length.is_some_and(|length| usize::try_from(length) != Ok(expected.len())) {
        return Err(form.broken("hash"));
    }
    Ok(ForeignHash {
        form,
        derivation: Derivation::pbkdf2(form, prf, iterations, salt, expected.len())?,
        expected,
    })
}
