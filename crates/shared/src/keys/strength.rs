//! How hard a secret is to guess, as far as can be told from looking at it.
//!
//! RFC 7518 §3.2 asks for 256 bits of *key*; text that a person made up has the length and not the
//! entropy, and whoever holds one token can guess as fast as he computes (RFC 8725 §3.5). An estimate: it
//! takes for little what is written in words, in order or again, and cannot know what else is known.

/// Fewer bits than these are within reach of somebody who tries (NIST SP 800-131A).
const ENOUGH: f64 = 112.0;

/// What a piece costs that was there before, or goes up or down by one: where, how long, which way.
const REPEATED: f64 = 8.0;
/// The shortest such piece.
const PIECE: usize = 4;

/// About how many bits there are to guess, if they are too few for a signing key; `None` if they will do.
#[must_use]
pub fn weakness(secret: &[u8]) -> Option<u32> {
    let bits = estimate(secret);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and ENOUGH"
    )]
    (bits < ENOUGH).then_some(bits as u32)
}

/// What a symbol of the secret costs by its kind.
struct Prices {
    /// One of the alphabet that the secret is made of.
    symbol: f64,
    /// Whether the most of it is words; then what is between them is no surprise, either.
    prose: bool,
    /// Whether there can be words in it at all.
    words: bool,
}

fn estimate(secret: &[u8]) -> f64 {
    let prices = Prices::of(secret);
    let (mut at, mut bits) = (0, 0.0);
    while let Some(rest) = secret.get(at..).filter(|rest| !rest.is_empty()) {
        let again = repeated(secret, at).max(in_order(rest));
        let (length, cost) = if again >= PIECE {
            (again, REPEATED)
        } else if let (true, run @ 1..) = (prices.words, letters(rest)) {
            (run, prices.of_letters(rest.get(..run).unwrap_or_default()))
        } else {
            (1, prices.of_symbol(rest))
        };
        at += length;
        bits += cost;
    }
    bits
}

impl Prices {
    fn of(secret: &[u8]) -> Self {
        let hex = |digit: fn(&u8) -> bool| secret.iter().all(digit);
        let is_hex = hex(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
            || hex(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(b));
        let text = std::str::from_utf8(secret).is_ok_and(|text| !text.contains(char::is_control));
        let has = |kind: fn(&u8) -> bool| secret.iter().any(kind);
        let alphabet: u32 = if is_hex {
            16
        } else if text {
            [
                (has(u8::is_ascii_lowercase), 26),
                (has(u8::is_ascii_uppercase), 26),
                (has(u8::is_ascii_digit), 10),
                (has(|b| !b.is_ascii_alphanumeric()), 33),
            ]
            .iter()
            .filter_map(|(there, size)| there.then_some(*size))
            .sum()
        } else {
            256
        };
        let words = text && !is_hex;
        Self {
            symbol: f64::from(alphabet.max(1)).log2(),
            prose: words && 20 * letters_in_words(secret) >= 11 * secret.len(),
            words,
        }
    }

    fn of_letters(&self, run: &[u8]) -> f64 {
        let length = as_number(run.len());
        let random = self.symbol * length;
        match (is_word(run), self.prose) {
            (true, true) => random.min(4.0 + length),
            (true, false) => random.min(4.0 + 1.2 * length),
            (false, true) => 2.0 * length,
            (false, false) => random,
        }
    }

    fn of_symbol(&self, rest: &[u8]) -> f64 {
        match rest.first() {
            Some(byte) if self.prose && byte.is_ascii_digit() => 10_f64.log2(),
            _ if self.prose => 2.0,
            _ => self.symbol,
        }
    }
}

/// The longest piece from `at` on that stands further in front as well.
fn repeated(secret: &[u8], at: usize) -> usize {
    let rest = secret.get(at..).unwrap_or_default();
    let same = |from: usize| {
        let earlier = secret.get(from..).unwrap_or_default();
        earlier.iter().zip(rest).take_while(|(a, b)| a == b).count()
    };
    (0..at).map(same).max().unwrap_or_default()
}

/// How many symbols go up or down by one, or are the same.
fn in_order(rest: &[u8]) -> usize {
    let mut steps = rest
        .iter()
        .zip(rest.iter().skip(1))
        .map(|(a, b)| i16::from(*b) - i16::from(*a));
    let Some(first @ -1..=1) = steps.next() else {
        return 1;
    };
    2 + steps.take_while(|step| *step == first).count()
}

/// Letters that belong together: in lower case, perhaps with a capital before them, or all capitals.
fn letters(rest: &[u8]) -> usize {
    let run = |rest: &[u8], kind: fn(&u8) -> bool| rest.iter().take_while(|b| kind(b)).count();
    let lower = run(rest, u8::is_ascii_lowercase);
    if lower > 0 {
        return lower;
    }
    let after = rest.get(1..).unwrap_or_default();
    match (
        run(rest, u8::is_ascii_uppercase),
        run(after, u8::is_ascii_lowercase),
    ) {
        (1, lower) => 1 + lower,
        (capitals, _) => capitals,
    }
}

fn letters_in_words(secret: &[u8]) -> usize {
    let (mut at, mut found) = (0, 0);
    while let Some(rest) = secret.get(at..).filter(|rest| !rest.is_empty()) {
        let run = letters(rest);
        if is_word(rest.get(..run).unwrap_or_default()) {
            found += run;
        }
        at += run.max(1);
    }
    found
}

/// Whether letters could be said: vowels enough, and neither many of them nor many others in a row.
fn is_word(run: &[u8]) -> bool {
    let vowel = |b: &u8| b"aeiou".contains(&b.to_ascii_lowercase());
    let crowd = |wanted: &dyn Fn(&u8) -> bool| run.windows(4).any(|four| four.iter().all(wanted));
    let vowels = run.iter().filter(|b| vowel(b)).count();
    run.len() >= 3
        && 4 * vowels >= run.len()
        && !crowd(&vowel)
        && !crowd(&|b| !vowel(b) && !b.eq_ignore_ascii_case(&b'y'))
}

#[expect(clippy::cast_precision_loss, reason = "lengths of secrets")]
fn as_number(length: usize) -> f64 {
    length as f64
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn text_that_people_make_up_is_weak_however_long_it_is() {
        for text in [
            "ThisIsASecretKeyThatIsAtLeast32BytesLong!",
            "my-company-name-jwt-signing-secret-2024!!",
            "this is my companys secret signing key do not share",
            "correct horse battery staple correct horse",
            "REPLACE_WITH_A_LONG_RANDOM_SECRET_AT_LEAST_32_CHARS",
            "P@ssw0rd123P@ssw0rd123P@ssw0rd123",
            "Summer2024Summer2025Summer2026Winter",
            "hunter2hunter3hunter4hunter5hunter6",
            "The quick brown fox jumps over the lazy dog",
            "die geheime Losung der Firma Meier und Soehne",
            "ilovemydogandmycatandmyhamsterverymuch",
            "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbcccccccccccccccc",
            "123456789012345678901234567890123456789",
        ] {
            assert!(weakness(text.as_bytes()).is_some(), "{text}");
        }
    }

    #[test]
    fn random_secrets_are_strong_in_every_usual_spelling() {
        let mut dice = StdRng::seed_from_u64(7);
        let mut weak = 0;
        for _ in 0..2_000 {
            let mut bytes = [0; 32];
            dice.fill_bytes(&mut bytes);
            let half = |at| u128::from_be_bytes(*bytes[at..].first_chunk().unwrap());
            let hex = format!("{:032x}{:032x}", half(0), half(16));
            for spelling in [
                bytes.to_vec(),
                hex.clone().into_bytes(),
                hex[..32].to_uppercase().into_bytes(),
                URL_SAFE_NO_PAD.encode(bytes).into_bytes(),
                STANDARD.encode(bytes).into_bytes(),
            ] {
                weak += usize::from(weakness(&spelling).is_some());
            }
        }
        // By chance one of a thousand reads like words; the warning that follows changes nothing.
        assert!(weak <= 20, "{weak} of 10000");
    }

    #[test]
    fn nothing_is_no_secret() {
        assert_eq!(weakness(b""), Some(0));
    }
}
