//! Whether a new password is strong enough: zxcvbn's estimate, and a file of passwords that have leaked.
//!
//! The work of some milliseconds, so it belongs to the threads that hash. Nobody outside is asked.

mod breached;

use std::fmt::Write as _;

use zxcvbn::feedback::{Suggestion, Warning};
use zxcvbn::{Score, zxcvbn};

pub use breached::BreachedPasswords;

use crate::settings::PasswordPolicy;

/// Characters of a password that are looked at: zxcvbn's time grows with the square of them, and nobody guesses more.
const LOOKED_AT: usize = 100;
/// And of one that has many of the characters which may stand for letters: zxcvbn tries their meanings in all combinations,
/// up to a thousand, on the whole of what it looks at.
const LOOKED_AT_IN_LEET: usize = 25;
const LEET: &str = "4@8({[<3691!|70$5+%2";
const MUCH_LEET: usize = 5;

/// Why a new password is not taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Weak {
    /// Too short, too long, or with control characters.
    Length,
    /// Easy to guess: what zxcvbn says about it, and advises.
    Guessable(Option<Warning>, Vec<Suggestion>),
    /// Known to have leaked.
    Breached,
}

impl Weak {
    /// The `reason` of the problem.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Guessable(..) => "guessable",
            Self::Breached => "breached",
        }
    }
}

impl std::fmt::Display for Weak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Length => f.write_str(
                "the password must have 8 to 256 characters, and no control characters",
            ),
            Self::Breached => f.write_str(
                "this password is in a list of leaked ones, which are tried first: choose another one",
            ),
            Self::Guessable(warning, suggestions) => {
                f.write_str("this password is easy to guess.")?;
                if let Some(warning) = warning {
                    write!(f, " {warning}")?;
                }
                suggestions
                    .iter()
                    .try_for_each(|suggestion| write!(f, " {suggestion}"))?;
                if warning.is_none() && suggestions.is_empty() {
                    f.write_str(" Add another word or two. Uncommon words are better.")?;
                }
                Ok(())
            }
        }
    }
}

/// What a new password must be.
pub struct Strength {
    policy: PasswordPolicy,
    breached: Option<BreachedPasswords>,
}

impl Strength {
    /// By this policy, and none of these passwords.
    #[must_use]
    pub fn new(policy: PasswordPolicy, breached: Option<BreachedPasswords>) -> Self {
        Self { policy, breached }
    }

    /// Why a password of good length may not be set by somebody of whom these words are known; `None` if it may.
    ///
    /// # Errors
    /// If the file of leaked passwords cannot be read.
    pub(crate) fn judge(
        &self,
        password: &str,
        words: &[String],
    ) -> Result<Option<Weak>, std::io::Error> {
        if self.policy == PasswordPolicy::Strong
            && let Some(weak) = guessable(password, words)
        {
            return Ok(Some(weak));
        }
        match &self.breached {
            Some(breached) if breached.has(password)? => Ok(Some(Weak::Breached)),
            _ => Ok(None),
        }
    }
}

fn guessable(password: &str, words: &[String]) -> Option<Weak> {
    let looked_at = looked_at(password);
    let words = known(words);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let entropy = zxcvbn(looked_at, &words);
    if entropy.score() >= Score::Three {
        return None;
    }
    let feedback = entropy.feedback();
    Some(Weak::Guessable(
        feedback.and_then(zxcvbn::feedback::Feedback::warning),
        feedback.map_or_else(Vec::new, |feedback| feedback.suggestions().to_vec()),
    ))
}

/// The beginning of a password, by which it is judged: what is strong in it is strong in the whole.
fn looked_at(password: &str) -> &str {
    let leet = LEET.chars().filter(|c| password.contains(*c)).count();
    let most = if leet > MUCH_LEET {
        LOOKED_AT_IN_LEET
    } else {
        LOOKED_AT
    };
    let end = password.char_indices().nth(most);
    end.and_then(|(at, _)| password.get(..at))
        .unwrap_or(password)
}

/// E-mail and name, and their parts: who knows the one tries the others.
fn known(words: &[String]) -> Vec<String> {
    let mut known = Vec::new();
    for word in words {
        let word = word.to_lowercase();
        let parts = word.split(|c: char| !c.is_alphanumeric());
        known.extend(
            parts
                .filter(|part| part.chars().count() >= 3)
                .map(str::to_owned),
        );
        known.push(word);
    }
    known
}

/// The same as [`Weak`]'s own words, in Chinese.
#[must_use]
pub(crate) fn in_chinese(weak: &Weak) -> String {
    match weak {
        Weak::Length => "密码须为 8 至 256 个字符，且不含控制字符。".to_owned(),
        Weak::Breached => "此密码出现在已泄露的密码名单中，会被最先尝试：请换一个。".to_owned(),
        Weak::Guessable(warning, suggestions) => {
            let mut said = "此密码容易被猜到。".to_owned();
            if let Some(warning) = warning {
                said.push_str(warning_in_chinese(*warning));
            }
            for suggestion in suggestions {
                let _ = write!(said, "{}", suggestion_in_chinese(*suggestion));
            }
            if warning.is_none() && suggestions.is_empty() {
                said.push_str("再加一两个词，少见的词更好。");
            }
            said
        }
    }
}

fn warning_in_chinese(warning: Warning) -> &'static str {
    match warning {
        Warning::StraightRowsOfKeysAreEasyToGuess => "键盘上连成一排的键容易被猜到。",
        Warning::ShortKeyboardPatternsAreEasyToGuess => "键盘上的短图案容易被猜到。",
        Warning::RepeatsLikeAaaAreEasyToGuess => "“aaa”这样的重复容易被猜到。",
        Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => {
            "“abcabcabc”这样的重复并不比“abc”难猜多少。"
        }
        Warning::ThisIsATop10Password => "这是最常见的十个密码之一。",
        Warning::ThisIsATop100Password => "这是最常见的一百个密码之一。",
        Warning::ThisIsACommonPassword => "这是一个常见的密码。",
        Warning::ThisIsSimilarToACommonlyUsedPassword => "它与常用的密码相似。",
        Warning::SequencesLikeAbcAreEasyToGuess => "“abc”或“6543”这样的序列容易被猜到。",
        Warning::RecentYearsAreEasyToGuess => "近年的年份容易被猜到。",
        Warning::AWordByItselfIsEasyToGuess => "单独一个词容易被猜到。",
        Warning::DatesAreOftenEasyToGuess => "日期往往容易被猜到。",
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess => "单独的姓名容易被猜到。",
        Warning::CommonNamesAndSurnamesAreEasyToGuess => "常见的姓名容易被猜到。",
    }
}

fn suggestion_in_chinese(suggestion: Suggestion) -> &'static str {
    match suggestion {
        Suggestion::UseAFewWordsAvoidCommonPhrases => "用几个词，避开常见的短语。",
        Suggestion::NoNeedForSymbolsDigitsOrUppercaseLetters => "不必有符号、数字或大写字母。",
        Suggestion::AddAnotherWordOrTwo => "再加一两个词，少见的词更好。",
        Suggestion::CapitalizationDoesntHelpVeryMuch => "首字母大写帮助不大。",
        Suggestion::AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase => {
            "全用大写几乎与全用小写一样容易猜。"
        }
        Suggestion::ReversedWordsArentMuchHarderToGuess => "倒着写的词并不更难猜。",
        Suggestion::PredictableSubstitutionsDontHelpVeryMuch => "以“@”代“a”之类的替换帮助不大。",
        Suggestion::UseALongerKeyboardPatternWithMoreTurns => "用更长、转折更多的键盘图案。",
        Suggestion::AvoidRepeatedWordsAndCharacters => "避免重复的词和字符。",
        Suggestion::AvoidSequences => "避免序列。",
        Suggestion::AvoidRecentYears => "避免近年的年份。",
        Suggestion::AvoidYearsThatAreAssociatedWithYou => "避免与你有关的年份。",
        Suggestion::AvoidDatesAndYearsThatAreAssociatedWithYou => "避免与你有关的日期和年份。",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(policy: PasswordPolicy, password: &str) -> Option<Weak> {
        let words = [
            "Ada.Lovelace@analytical.example".to_owned(),
            "Ada L".to_owned(),
        ];
        Strength::new(policy, None).judge(password, &words).unwrap()
    }

    #[test]
    fn what_is_easy_to_guess_is_refused_with_a_reason_and_advice() {
        for weak in [
            "password1",
            "qwertyuiop",
            "lovelace1815",
            "ada.lovelace@analytical.example",
            "analytical1",
            "12345678",
            "aaaaaaaaaaaa",
        ] {
            let said = judge(PasswordPolicy::Strong, weak);
            assert!(matches!(said, Some(Weak::Guessable(..))), "{weak}");
            let said = said.unwrap();
            assert_eq!(said.reason(), "guessable");
            assert!(
                said.to_string().len() > 40 && said.to_string().ends_with('.'),
                "{said}"
            );
            assert!(in_chinese(&said).ends_with('。'), "{}", in_chinese(&said));
            assert_eq!(judge(PasswordPolicy::Length, weak), None);
        }
        for strong in [
            "correct horse battery",
            "王小明的老师住在长江边上",
            "tr0ub4dor&3-xk",
        ] {
            assert_eq!(judge(PasswordPolicy::Strong, strong), None, "{strong}");
        }
    }

    #[test]
    fn a_long_password_costs_no_more_than_a_hundred_characters() {
        let long = "xK".repeat(128);
        assert!(judge(PasswordPolicy::Strong, &long).is_some(), "it repeats");
        assert_eq!(judge(PasswordPolicy::Length, &long), None);
    }

    #[test]
    fn of_a_password_that_may_mean_a_thousand_words_only_the_beginning_is_looked_at() {
        let costly = "4@8({[<3691!|70$5+%2".repeat(5);
        assert_eq!(looked_at(&costly).len(), LOOKED_AT_IN_LEET);
        assert_eq!(looked_at(&"é".repeat(200)).chars().count(), LOOKED_AT);
        assert_eq!(looked_at("short"), "short");
        let by_a_manager = "kT9$xQ2!mW7%pL4@zR6#vN8&bH3*cJ5^dF1+gS0=";
        assert_eq!(judge(PasswordPolicy::Strong, by_a_manager), None);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_typed_is_judged(
            text in ".{0,120}",
            piece in "[a-z0-9@#é王]{1,6}",
            times in 1_usize..60,
        ) {
            for password in [text.as_str(), &piece.repeat(times), &(piece + &text)] {
                let _ = judge(PasswordPolicy::Strong, password);
            }
        }
    }
}
