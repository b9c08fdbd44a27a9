//! The revocation feed as it is on the wire: its answers, and the signature that it was auth-server who answered, this
//! very question, now.
//!
//! Both ends hold the key ring, so a MAC does. Without
//! it, whoever stands between the two on a network without TLS could answer "nobody is revoked".
//!
//! The header [`SIGNATURE`] of an answer is `v1 t=TIME,mac=MAC,kid=KID`: the Unix second of the answer, an HMAC-SHA256
//! in base64url without padding, and the name of the ring's key that made it. The MAC is over the line
//! `keyturn feed v1`, a line with the question's nonce, a line with its cursor, a line with `TIME`, and the body, byte
//! for byte; each line ends with a line feed. The cursor's line is its length in bytes, a space and the cursor as it was
//! asked with: whoever stands between may write line feeds into it. No JWT has such a first line, so a MAC of one kind
//! is never one of the other.

use serde::{Deserialize, Serialize};

use crate::hs256::read_mac;
use crate::jws::Standing;
use crate::token::Validator;
#[cfg(feature = "sign")]
use crate::token::{SignError, Signer};

/// The header with the signature.
pub const SIGNATURE: &str = "keyturn-signature";

/// Characters that a nonce has at most.
const LONGEST_NONCE: usize = 128;

/// Seconds beyond the skew by which an answer's time may be off: as much as an ending stays in force beyond its last
/// token, so that no entry is forgotten here while it matters.
const CLOCKS: i64 = 60;

/// Whether a text can be a question's nonce: letters, digits, `-` and `_`, at most 128; none at all is one, too.
#[must_use]
pub fn is_nonce(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    text.len() <= LONGEST_NONCE && text.bytes().all(allowed)
}

/// Why an answer counts as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unproved {
    /// There is no signature of this form. An auth-server of an earlier version gives none.
    #[error("it has no signature that can be read")]
    Unsigned,
    /// It is signed under a name that the ring does not have.
    #[error("it is signed with a key that is not known here")]
    UnknownKey,
    /// It is signed with a key that is retired or revoked.
    #[error("it is signed with a key that was withdrawn")]
    WithdrawnKey,
    /// The MAC is over something else: another body, or the answer to another question.
    #[error("its signature does not fit it, or the question")]
    Mac,
    /// The clocks of the two services are so many seconds apart that entries would be forgotten too early.
    #[error("it was signed {0} s from now, by the clock here")]
    Time(i64),
}

/// The path of the feed below its service.
pub const PATH: &str = "/internal/revocations";

/// One answer of the feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What to ask with the next time; opaque.
    pub cursor: String,
    /// Whether the entries are everything in force.
    pub full: bool,
    /// Ended sessions.
    pub entries: Vec<Entry>,
}

/// One ended session of the feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The session's id, the `sid` of its tokens.
    pub sid: Box<str>,
    /// When the last token of this session is over, skew included, in Unix seconds; from then on the entry is useless.
    pub until: i64,
}

/// What an answer is an answer to. "Nothing new" is true or false with the cursor alone, so the cursor belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What was never asked with before; see [`is_nonce`].
    pub nonce: &'a str,
    /// The cursor exactly as asked; empty when there was none.
    pub after: &'a str,
}

fn message(question: Question, time: i64, body: &[u8]) -> Vec<u8> {
    let Question { nonce, after } = question;
    let length = after.len();
    let mut message = format!("keyturn feed v1\n{nonce}\n{length} {after}\n{time}\n").into_bytes();
    message.extend_from_slice(body);
    message
}

#[cfg(feature = "sign")]
impl Signer {
    /// Signs the feed's answer to this question; gives the value of [`SIGNATURE`].
    ///
    /// # Errors
    /// [`SignError::NoActiveKey`] if the ring has no key that signs at `now`.
    pub fn sign_answer(
        &self,
        question: Question,
        body: &[u8],
        now: i64,
    ) -> Result<String, SignError> {
        let ring = self.keys().ring();
        let key = ring.active(now).ok_or(SignError::NoActiveKey)?;
        let message = message(question, now, body);
        let mac = key.hs256().sign(&message);
        Ok(format!("v1 t={now},mac={mac},kid={}", key.kid()))
    }
}

impl Validator {
    /// Judges whether an answer of the feed with this `signature` is auth-server's, to this question.
    ///
    /// # Errors
    /// [`Unproved`] says why not.
    pub fn check_answer(
        &self,
        signature: Option<&str>,
        question: Question,
        body: &[u8],
        now: i64,
    ) -> Result<(), Unproved> {
        let (time, mac, kid) = signature.and_then(parts).ok_or(Unproved::Unsigned)?;
        let mut ring = self.keys().ring();
        if ring.find(kid).is_none() {
            ring = self.keys().look_again();
        }
        let key = ring.find(kid).ok_or(Unproved::UnknownKey)?;
        let message = message(question, time, body);
        if !read_mac(mac).is_some_and(|mac| key.hs256().verifies(&message, &mac)) {
            return Err(Unproved::Mac);
        }
        if Standing::of(key).is_over(now) {
            return Err(Unproved::WithdrawnKey);
        }
        let apart = now.saturating_sub(time);
        if apart.saturating_abs() > self.policy().skew.saturating_add(CLOCKS) {
            return Err(Unproved::Time(apart));
        }
        Ok(())
    }
}

/// The parts of a signature: time, MAC, kid. A kid may have any printable character, so it comes last.
fn parts(signature: &str) -> Option<(i64, &str, &str)> {
    let (time, rest) = signature.strip_prefix("v1 t=")?.split_once(",mac=")?;
    let (mac, kid) = rest.split_once(",kid=")?;
    Some((time.parse().ok()?, mac, kid))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::key_file::KeyFile;
    use crate::keys::KeyRing;
    use crate::token::Policy;

    const NOW: i64 = 1_800_000_000;
    const BODY: &[u8] = br#"{"cursor":"c","full":true,"entries":[]}"#;

    fn to(nonce: &str) -> Question<'_> {
        Question { nonce, after: "c" }
    }

    fn both(ring: KeyRing, skew: i64) -> (Signer, Validator) {
        let keys = KeyFile::fixed(ring);
        let policy = Policy {
            issuer: "http://issuer".into(),
            audiences: vec!["http://api".into()],
            skew,
        };
        (
            Signer::new(Arc::clone(&keys), policy.clone()),
            Validator::new(keys, policy),
        )
    }

    #[test]
    fn an_answer_proves_itself_with_its_own_body_nonce_and_time_alone() {
        let (signer, validator) = both(KeyRing::generate(NOW), 0);
        let signature = signer.sign_answer(to("n-1"), BODY, NOW).unwrap();
        let check = |signature: &str, nonce: &str, body: &[u8]| {
            validator.check_answer(Some(signature), to(nonce), body, NOW)
        };
        assert_eq!(check(&signature, "n-1", BODY), Ok(()));
        assert_eq!(
            validator.check_answer(None, to("n-1"), BODY, NOW),
            Err(Unproved::Unsigned)
        );
        for nonce in ["", "n-2", "n-1\n", "n-1x"] {
            assert_eq!(
                check(&signature, nonce, BODY),
                Err(Unproved::Mac),
                "{nonce:?}"
            );
        }
        for at in 0..BODY.len() {
            let mut body = BODY.to_vec();
            body[at] ^= 1;
            assert_eq!(check(&signature, "n-1", &body), Err(Unproved::Mac), "{at}");
        }
        for body in [&b""[..], &BODY[1..], &BODY[..BODY.len() - 1]] {
            assert_eq!(check(&signature, "n-1", body), Err(Unproved::Mac));
        }
        let other_time = signature.replace(&NOW.to_string(), &(NOW + 1).to_string());
        assert_eq!(check(&other_time, "n-1", BODY), Err(Unproved::Mac));
        // No part of one line can be moved into the next.
        let empty = signer.sign_answer(to(""), BODY, NOW).unwrap();
        assert_eq!(check(&empty, "", BODY), Ok(()));
        assert_eq!(check(&empty, "n-1", BODY), Err(Unproved::Mac));
    }

    #[test]
    fn an_answer_is_none_to_the_same_question_with_another_cursor() {
        let (signer, validator) = both(KeyRing::generate(NOW), 0);
        let cursors = ["", "c", "c-1", "c-2", "c\n", "\nc", "0 ", "1 c", "é"];
        for asked in cursors {
            for answered in cursors {
                let question = |after| Question { nonce: "n", after };
                let signature = signer.sign_answer(question(answered), BODY, NOW).unwrap();
                let checked = validator.check_answer(Some(&signature), question(asked), BODY, NOW);
                assert_eq!(checked.is_ok(), asked == answered, "{asked:?} {answered:?}");
            }
        }
    }

    #[test]
    fn no_line_of_a_forged_cursor_becomes_the_time_or_the_body() {
        let (signer, validator) = both(KeyRing::generate(NOW), 0);
        let forged = format!("c\n{NOW}\n[]");
        let question = |after| Question { nonce: "n", after };
        let signature = signer.sign_answer(question(&forged), BODY, NOW).unwrap();
        let mut body = format!("[]\n{NOW}\n").into_bytes();
        body.extend_from_slice(BODY);
        assert_eq!(
            validator.check_answer(Some(&signature), question("c"), &body, NOW),
            Err(Unproved::Mac)
        );
    }

    #[test]
    fn no_changed_character_of_a_signature_goes_unnoticed() {
        let (signer, validator) = both(KeyRing::generate(NOW), 0);
        let signature = signer.sign_answer(to("n"), BODY, NOW).unwrap();
        // The last character of the MAC holds two bits that say nothing.
        let spare = signature.find(",kid=").unwrap() - 1;
        for at in (0..signature.len()).filter(|at| *at != spare) {
            let mut bytes = signature.clone().into_bytes();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(bytes).unwrap();
            let checked = validator.check_answer(Some(&changed), to("n"), BODY, NOW);
            assert!(checked.is_err(), "{changed}");
        }
        for strange in [
            "",
            "v1",
            "v1 t=,mac=,kid=",
            "v1 t=1,mac=,kid=",
            "v2 t=1,mac=a,kid=b",
            "v1 t=99999999999999999999,mac=a,kid=b",
        ] {
            let checked = validator.check_answer(Some(strange), to("n"), BODY, NOW);
            assert!(checked.is_err(), "{strange}");
        }
    }

    #[test]
    fn an_access_token_s_signature_is_none_of_an_answer() {
        let (signer, validator) = both(KeyRing::generate(NOW), 0);
        let token = signer.sign_service("x", NOW).unwrap();
        let (input, mac) = token.rsplit_once('.').unwrap();
        let kid = validator
            .keys()
            .ring()
            .active(NOW)
            .unwrap()
            .kid()
            .to_owned();
        let signature = format!("v1 t={NOW},mac={mac},kid={kid}");
        assert_eq!(
            validator.check_answer(Some(&signature), to(""), input.as_bytes(), NOW),
            Err(Unproved::Mac)
        );
    }

    #[test]
    fn clocks_may_be_apart_by_the_skew_and_a_minute() {
        for skew in [0, 300] {
            let (signer, validator) = both(KeyRing::generate(NOW - 10_000), skew);
            for (at, fine) in [
                (-skew - 60, true),
                (skew + 60, true),
                (-skew - 61, false),
                (skew + 61, false),
            ] {
                let signature = signer.sign_answer(to("n"), BODY, NOW + at).unwrap();
                let checked = validator.check_answer(Some(&signature), to("n"), BODY, NOW);
                let expected = if fine {
                    Ok(())
                } else {
                    Err(Unproved::Time(-at))
                };
                assert_eq!(checked, expected, "{skew} {at}");
            }
        }
    }

    #[test]
    fn a_key_proves_while_it_verifies() {
        let ring = KeyRing::generate(NOW);
        let old = ring.active(NOW).unwrap().kid().to_owned();
        let (signer, validator) = both(ring.clone(), 0);
        let signature = signer.sign_answer(to("n"), BODY, NOW).unwrap();
        assert_eq!(
            both(KeyRing::generate(NOW), 0)
                .1
                .check_answer(Some(&signature), to("n"), BODY, NOW),
            Err(Unproved::UnknownKey)
        );
        let rotated = ring
            .rotate(NOW, Duration::ZERO, Duration::from_hours(1))
            .ring;
        let (_, after) = both(rotated, 0);
        assert_eq!(
            after.check_answer(Some(&signature), to("n"), BODY, NOW),
            Ok(())
        );
        let revoked = ring.revoke(&old, NOW).unwrap().ring;
        assert_eq!(
            both(revoked, 0)
                .1
                .check_answer(Some(&signature), to("n"), BODY, NOW),
            Err(Unproved::WithdrawnKey)
        );
        assert_eq!(
            validator.check_answer(Some(&signature), to("n"), BODY, NOW),
            Ok(())
        );
    }

    #[test]
    fn a_nonce_is_of_few_letters() {
        for nonce in ["", "a", "AZaz09-_", &"x".repeat(128)] {
            assert!(is_nonce(nonce), "{nonce}");
        }
        for text in ["a b", "a\n", "é", "a=", "a%", &"x".repeat(129)] {
            assert!(!is_nonce(text), "{text}");
        }
    }
}
