//! The words of our own pages, in each language.

use mail::Locale;

use super::Page;
use crate::error::Error;
use crate::strength::in_chinese;

/// What all pages say.
pub(super) struct Words {
    /// The language as a page says it.
    pub(super) lang: &'static str,
    pub(super) token: &'static str,
    pub(super) token_hint: &'static str,
    pub(super) user_name: &'static str,
    pub(super) new_password: &'static str,
    pub(super) password_hint: &'static str,
    /// The title where a link did nothing.
    pub(super) not_done: &'static str,
    reset: PageWords,
    verify: PageWords,
    invitation: PageWords,
}

/// What one page says.
pub(super) struct PageWords {
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    pub(super) button: &'static str,
    /// Title and text after it was done.
    pub(super) done: &'static str,
    pub(super) done_text: &'static str,
}

impl Words {
    pub(super) fn of(locale: Locale) -> &'static Self {
        match locale {
            Locale::En => &ENGLISH,
            Locale::Zh => &CHINESE,
        }
    }

    pub(super) fn of_page(&self, page: Page) -> &PageWords {
        match page {
            Page::Reset => &self.reset,
            Page::Verify => &self.verify,
            Page::Invitation => &self.invitation,
        }
    }
}

static ENGLISH: Words = Words {
    lang: "en",
    token: "Code of the link",
    token_hint: "What stands behind “#token=” in the link of the mail.",
    user_name: "Your name",
    new_password: "New password",
    password_hint: "At least 8 characters. A few uncommon words are good.",
    not_done: "That did not work",
    reset: PageWords {
        title: "Choose a new password",
        lead: "Every device that is signed in to the account will be signed out.",
        button: "Set the password",
        done: "The password is set",
        done_text: "All devices are signed out. Sign in with the new password.",
    },
    verify: PageWords {
        title: "Confirm your address",
        lead: "Confirm that you registered with the address to which the mail went, or want it for your account.",
        button: "Confirm",
        done: "The address is confirmed",
        done_text: "Thank you. You can close this page.",
    },
    invitation: PageWords {
        title: "Make your account",
        lead: "You were invited. Choose a name and a password.",
        button: "Make the account",
        done: "Your account is made",
        done_text: "Sign in with the address to which the mail went, and your password.",
    },
};

static CHINESE: Words = Words {
    lang: "zh-Hans",
    token: "链接中的代码",
    token_hint: "邮件链接中“#token=”之后的部分。",
    user_name: "您的名字",
    new_password: "新密码",
    password_hint: "至少 8 个字符。用几个少见的词就很好。",
    not_done: "未能完成",
    reset: PageWords {
        title: "设置新密码",
        lead: "此账户在所有设备上的登录都将退出。",
        button: "设置密码",
        done: "密码已设置",
        done_text: "所有设备均已退出登录。请用新密码登录。",
    },
    verify: PageWords {
        title: "确认您的邮箱地址",
        lead: "请确认：是您用收到邮件的地址注册的，或是您要将它用于自己的账户。",
        button: "确认",
        done: "地址已确认",
        done_text: "谢谢。您可以关闭此页面。",
    },
    invitation: PageWords {
        title: "创建您的账户",
        lead: "您收到了邀请。请选择名字和密码。",
        button: "创建账户",
        done: "账户已创建",
        done_text: "请用收到邮件的地址和您的密码登录。",
    },
};

/// An error as the visitor reads it.
pub(super) fn said(error: &Error, locale: Locale) -> String {
    let sentence = match (error, locale) {
        (Error::WeakPassword(weak), Locale::Zh) => return in_chinese(weak),
        (Error::WeakPassword(weak), Locale::En) => return capitalised(&weak.to_string()),
        (Error::InvalidLink, Locale::En) => {
            "The link was used already, is over, or is not complete. Ask for a new one."
        }
        (Error::InvalidLink, Locale::Zh) => "此链接已被使用、已过期或不完整。请重新获取。",
        (Error::AccountExists, Locale::En) => "Another account has this address by now.",
        (Error::AccountExists, Locale::Zh) => "此地址现已属于另一个账户。",
        (Error::InvalidUserName, Locale::En) => "A name has 1 to 64 characters that can be seen.",
        (Error::InvalidUserName, Locale::Zh) => "名字须为 1 至 64 个可见字符。",
        (Error::TooManyAttempts(_) | Error::Busy, Locale::En) => {
            "Too much at once. Try again in a moment."
        }
        (Error::TooManyAttempts(_) | Error::Busy, Locale::Zh) => "请求过多，请稍后再试。",
        (_, Locale::En) => "Something went wrong. Try again later.",
        (_, Locale::Zh) => "出了点问题，请稍后再试。",
    };
    sentence.to_owned()
}

fn capitalised(sentence: &str) -> String {
    let mut characters = sentence.chars();
    let first = characters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(characters).collect()
}
