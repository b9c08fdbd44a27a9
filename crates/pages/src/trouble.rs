//! What went wrong with a form, as its sender reads it.

use std::borrow::Cow;

use crate::Language;

/// Why a form was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Wrong password, or nobody: the same for both.
    WrongCredentials,
    /// The right password of a blocked account.
    Blocked,
    /// The right password of an account whose address nobody has proven; a mail was sent.
    NotVerified,
    /// Too many attempts; the seconds until the next is looked at.
    TooMany(u64),
    /// Too much is waiting.
    Busy,
    /// Something that we need does not answer.
    Unavailable,
    /// Not an address that mail can go to.
    InvalidEmail,
    /// A name that is blank, too long, or not to be seen.
    InvalidUserName,
    /// A password that is too short or easy to guess, with a sentence why, in the page's language.
    WeakPassword(String),
    /// Who registers has an account.
    AccountExists,
    /// The address of a link belongs to another account by now.
    AddressTaken,
    /// Strangers may not register.
    RegistrationClosed,
    /// A link that is used, over or forged.
    InvalidLink,
    /// The form was open for too long, or came without its cookie.
    StaleForm,
    /// What no visitor can do anything about.
    Other,
}

/// A field that a fault can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    UserName,
    Email,
    Password,
}

impl Trouble {
    /// A sentence or two for the visitor.
    #[must_use]
    pub fn words(&self, language: Language) -> Cow<'_, str> {
        let english = language == Language::En;
        let (en, zh) = match self {
            Self::TooMany(seconds) => return Cow::Owned(too_many(*seconds, language)),
            Self::WeakPassword(why) => return Cow::Owned(capitalised(why)),
            Self::WrongCredentials => ("E-mail or password is wrong.", "邮箱地址或密码不正确。"),
            Self::Blocked => (
                "This account is blocked. Ask the people who run this service.",
                "此账户已被停用。请联系本服务的管理员。",
            ),
            Self::NotVerified => (
                "Your address is not confirmed yet. A mail with a link was sent to it: open the link, then sign in.",
                "您的邮箱地址尚未确认。我们已向该地址发送带有链接的邮件：请打开链接，然后登录。",
            ),
            Self::Busy => (
                "Too much at once. Try again in a moment.",
                "请求过多，请稍后再试。",
            ),
            Self::Unavailable => (
                "That does not work just now. Try again in a moment.",
                "暂时无法完成，请稍后再试。",
            ),
            Self::InvalidEmail => (
                "An e-mail address has one @ and no spaces.",
                "邮箱地址须有且仅有一个 @，且不含空格。",
            ),
            Self::InvalidUserName => (
                "A name has 1 to 64 characters that can be seen.",
                "名字须为 1 至 64 个可见字符。",
            ),
            Self::AccountExists => (
                "There is an account with this address already. Sign in instead.",
                "此地址已有账户。请直接登录。",
            ),
            Self::AddressTaken => (
                "Another account has this address by now.",
                "此地址现已属于另一个账户。",
            ),
            Self::RegistrationClosed => (
                "You cannot make an account here yourself. Ask the people who run this service.",
                "此处不开放自行注册。请联系本服务的管理员。",
            ),
            Self::InvalidLink => (
                "The link was used already, is over, or is not complete. Ask for a new one.",
                "此链接已被使用、已过期或不完整。请重新获取。",
            ),
            Self::StaleForm => (
                "The page was open for too long, or the browser keeps no cookies. Try again.",
                "页面打开的时间过长，或浏览器未保存 Cookie。请重试。",
            ),
            Self::Other => (
                "Something went wrong. Try again later.",
                "出了点问题，请稍后再试。",
            ),
        };
        Cow::Borrowed(if english { en } else { zh })
    }

    /// Whether this field is what has to be changed.
    pub(crate) fn is_about(&self, field: Field) -> bool {
        match self {
            Self::WrongCredentials => matches!(field, Field::Email | Field::Password),
            Self::InvalidEmail | Self::AccountExists => field == Field::Email,
            Self::InvalidUserName => field == Field::UserName,
            Self::WeakPassword(_) => field == Field::Password,
            Self::Blocked
            | Self::NotVerified
            | Self::TooMany(_)
            | Self::Busy
            | Self::Unavailable
            | Self::AddressTaken
            | Self::RegistrationClosed
            | Self::InvalidLink
            | Self::StaleForm
            | Self::Other => false,
        }
    }
}

/// Above two minutes seconds tell nobody anything.
fn too_many(seconds: u64, language: Language) -> String {
    let seconds = seconds.max(1);
    let (number, one, many, chinese) = if seconds > 120 {
        (seconds.div_ceil(60), "minute", "minutes", "分钟")
    } else {
        (seconds, "second", "seconds", "秒")
    };
    match language {
        Language::En => {
            let unit = if number == 1 { one } else { many };
            format!("Too many attempts. Try again in {number} {unit}.")
        }
        Language::Zh => format!("尝试次数过多，请在 {number} {chinese}后再试。"),
    }
}

fn capitalised(sentence: &str) -> String {
    let mut characters = sentence.chars();
    let first = characters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_told_in_what_people_count_in() {
        for (seconds, english, chinese) in [
            (0, "1 second.", "1 秒"),
            (1, "1 second.", "1 秒"),
            (2, "2 seconds.", "2 秒"),
            (120, "120 seconds.", "120 秒"),
            (121, "3 minutes.", "3 分钟"),
            (900, "15 minutes.", "15 分钟"),
        ] {
            let trouble = Trouble::TooMany(seconds);
            assert!(trouble.words(Language::En).ends_with(english), "{seconds}");
            assert!(trouble.words(Language::Zh).contains(chinese), "{seconds}");
        }
    }

    #[test]
    fn advice_begins_as_a_sentence() {
        let weak = Trouble::WeakPassword("the password is easy to guess".to_owned());
        assert_eq!(weak.words(Language::En), "The password is easy to guess");
        assert_eq!(Trouble::WeakPassword(String::new()).words(Language::Zh), "");
    }
}
