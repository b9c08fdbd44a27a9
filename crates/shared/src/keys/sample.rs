//! Secrets that everybody knows.
//!
//! No list is complete; this one holds what people really paste: the examples of the RFCs, of
//! jwt.io and of widely read tutorials, and everything that is a pattern rather than a secret. It
//! changes nothing that somebody wrote them in another form, in capitals, or with a "123" behind.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Secrets in print, as text. The bytes that they spell as hex or base64 count too.
const PUBLISHED: &[&str] = &[
    // RFC 7515 appendix A.1 (also in RFC 7517 and 7519), RFC 7520 section 3.5.
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
    // jwt.io, old and new.
    "your-256-bit-secret",
    "your-384-bit-secret",
    "your-512-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-384-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    // Supabase, FastAPI, Spring and ASP.NET tutorials.
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    "JWTAuthenticationHIGHsecuredPasswordVVVp1OH7Xzyr",
    "this is my custom Secret key for authentication",
    "this is my custom Secret key for authnetication",
    "THIS IS USED TO SIGN AND VERIFY JWT TOKENS, REPLACE IT WITH YOUR OWN SECRET, IT CAN BE ANY STRING",
    "my-32-character-ultra-secure-and-ultra-long-secret",
    "THIS IS USED TO SIGN AND VERIFY JWT TOKENS, IT CAN BE ANY STRING",
    "this is my top jwt secret key for authentication and i append it to have enough lenght",
    "this_is_our_supper_long_security_key_for_token_validation_project_2018_09_07$smesk.in",
    "mysupersecret_secretsecretsecretkey!123",
    "superSecretKey@345",
    "Yh2k7QSu4l8CZg5p6X3Pna9L0Miy4D3Bvt0JVr87UcOj69Kqw5R2Nmf4FWs03Hdx",
    "ByYM000OLlMQG6VVVp1OH7Xzyr7gHuw1qvUC5dcGt3SNM",
    "C1CF4B7DC4C4175B6618DE4F55CA4",
    "401b09eab3c013d4ca54922bb802bec8fd5318192b0a75f201d8b3727429090fb337591abd3e44453b954555b7a0812e1081c39b740293f765eae731f5a65ed1",
    "db3OIsj+BXE9NZDy0t8W3TcNekrF+2d/1sFnWG4HnV8TZY30iTOdtVWJG8abWvB1GlOgJuQZdcF2Luqm/hccMw==",
    "5367566B59703373367639792F423F4528482B4D6251655468576D5A71347437",
    "3cfa76ef14937c1c0ea519f8fc057a80fcd04a7420f8e8bcd0a7567c272e007b",
    "daf66e01593f61a15b857cf433aae03a005812b31234e149036bcc8dee755dbb",
    "9a4f2c8d3b7a1e6f45c8a0b3f267d8b1d4e6f3c8a9d2b5f8e3a9c8b5f6v8a3d9",
    "======================BezKoder=Spring===========================",
    "asdfSFS34wfsdfsdfSDSD32dfsddDDerQSNCK34SOWEK5354fdgdf4",
    "Yn2kjibddFAWtnPJ2AFlL8WXmohJMCvigQggaEypa5E=",
    // Nest, Hasura, PostgREST.
    "DO NOT USE THIS VALUE. INSTEAD, CREATE A COMPLEX SECRET AND KEEP IT SAFE OUTSIDE OF THE SOURCE CODE.",
    "3EK6FD+o0+c7tzBNVfjpMkNDi2yARAAKzQlk8O2IKoxQu4nF7EdAh8s3TwpHwrdWT6R",
    "reallyreallyreallyreallyverysafe",
    // Rows of a keyboard; alphabets are found by their order.
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    // The articles that this service comes from.
    "1234567890123456",
];

/// The longest period that counts as a pattern, in bytes: the articles' key is 16 long.
const LONGEST_PERIOD: usize = 16;

/// Bytes of a sample that are enough to know it by when something is added to it…
const TELLING: usize = 24;
/// … and of what is added, if it is to make a difference.
const ADDED: usize = 16;

/// Whether a secret is a published sample or a pattern, in any of the ways to write it.
pub(super) fn is_known(secret: &[u8]) -> bool {
    readings(secret).iter().any(|reading| {
        is_in_order(reading)
            || is_periodic(reading)
            || PUBLISHED.iter().any(|text| {
                let text = text.as_bytes();
                is_sample(text, reading)
                    || decoded(text)
                        .iter()
                        .any(|sample| is_sample(sample, reading))
            })
    })
}

/// The secret, and what its text spells in hex or base64, and what that spells: samples are pasted into
/// settings that ask for another form than theirs.
fn readings(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut readings = vec![Zeroizing::new(secret.trim_ascii().to_vec())];
    for _ in 0..2 {
        let more: Vec<_> = readings.iter().flat_map(|text| decoded(text)).collect();
        readings.extend(more);
    }
    readings.push(Zeroizing::new(secret.to_vec()));
    // What is shorter is no key, and a pattern by chance.
    readings.retain(|reading| reading.len() >= ADDED || reading.len() == secret.len());
    readings
}

/// The bytes that a text spells in hex or base64.
fn decoded(text: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let Ok(text) = std::str::from_utf8(text) else {
        return Vec::new();
    };
    let bare = text.trim_end_matches('=');
    [
        URL_SAFE_NO_PAD.decode(bare).ok(),
        STANDARD_NO_PAD.decode(bare).ok(),
        from_hex(text),
    ]
    .into_iter()
    .flatten()
    .map(Zeroizing::new)
    .collect()
}

/// Whether the secret is the sample, in capitals or not, or repeats it, or has it in it and little else.
fn is_sample(sample: &[u8], secret: &[u8]) -> bool {
    let has = |part: &[u8]| part.eq_ignore_ascii_case(sample);
    repeats(sample, secret)
        || (sample.len() >= TELLING
            && secret.len() < sample.len() + ADDED
            && secret.windows(sample.len()).any(has))
}

/// Whether the secret is made of `text` over and over, the last time perhaps cut short.
fn repeats(text: &[u8], secret: &[u8]) -> bool {
    let cycle = text.iter().cycle();
    !text.is_empty()
        && secret.len() >= text.len()
        && secret
            .iter()
            .zip(cycle)
            .all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// Whether most bytes are their predecessor plus the same step as before: 0, 1, 2 …, all the same, or
/// alphabets and digits one after the other.
fn is_in_order(secret: &[u8]) -> bool {
    let steps: Vec<u8> = secret
        .iter()
        .zip(secret.iter().skip(1))
        .map(|(a, b)| b.wrapping_sub(*a))
        .collect();
    let turns = steps
        .iter()
        .zip(steps.iter().skip(1))
        .filter(|(a, b)| a != b);
    turns.count() <= secret.len() / 8
}

/// Whether the secret repeats a piece of at most 16 bytes.
fn is_periodic(secret: &[u8]) -> bool {
    let longest = LONGEST_PERIOD.min(secret.len() / 2);
    (1..=longest).any(|period| {
        secret
            .iter()
            .skip(period)
            .eq(secret.iter().take(secret.len() - period))
    })
}

/// The bytes that hex digits spell; `None` if they spell none.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

#[cfg(test)]
mod tests;
