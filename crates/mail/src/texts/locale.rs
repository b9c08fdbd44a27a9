//! The languages, and what the code itself says in them.

use std::time::Duration;

/// A language that mails are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Locale {
    /// English.
    #[default]
    En,
    /// Chinese, in simplified characters.
    Zh,
}

impl Locale {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::En, Self::Zh];

    /// Its code: the folder of its templates, and what is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// The language of this code.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|locale| locale.as_str() == code)
    }

    /// The one of our languages that a browser likes best, from its `Accept-Language` (RFC 9110 §12.5.4); English
    /// if it names none of them.
    #[must_use]
    pub fn of_accept_language(header: &str) -> Self {
        let mut best = (0, Self::default());
        for range in header.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
            let language = tag.split('-').next().unwrap_or_default();
            let Some(locale) = Self::parse(language) else {
                continue;
            };
            let quality = parts.next().map_or(Some(1_000), thousandths);
            // Of two that are liked alike, the one named first.
            if let Some(quality) = quality.filter(|quality| *quality > best.0) {
                best = (quality, locale);
            }
        }
        best.1
    }

    /// What stands on a button whose template says nothing.
    pub(super) fn open(self) -> &'static str {
        match self {
            Self::En => "Open the link",
            Self::Zh => "打开链接",
        }
    }

    /// The language as a page says it.
    pub(super) fn html(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-Hans",
        }
    }

    /// A length of time in the largest unit that says it in whole numbers, but two days at least in days and two
    /// hours at least in hours: `30 minutes`, `24 hours`, `7 days`.
    pub(super) fn in_words(self, length: Duration) -> String {
        const HOUR: u64 = 60;
        const DAY: u64 = 24 * HOUR;
        let minutes = length.as_secs().div_ceil(60);
        let (number, one, many, chinese) = if minutes >= 2 * DAY && minutes.is_multiple_of(DAY) {
            (minutes / DAY, "day", "days", "天")
        } else if minutes >= HOUR && minutes.is_multiple_of(HOUR) {
            (minutes / HOUR, "hour", "hours", "小时")
        } else {
            (minutes, "minute", "minutes", "分钟")
        };
        match self {
            Self::En if number == 1 => format!("1 {one}"),
            Self::En => format!("{number} {many}"),
            Self::Zh => format!("{number} {chinese}"),
        }
    }
}

/// A quality value, `q=0.8`, in thousandths.
fn thousandths(parameter: &str) -> Option<u32> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, part) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    let digits = part.bytes().all(|byte| byte.is_ascii_digit()) && part.len() <= 3;
    match whole {
        "0" if digits => format!("{part:0<3}").parse().ok(),
        "1" if digits && part.bytes().all(|byte| byte == b'0') => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_the_language_it_likes_best() {
        for (header, locale) in [
            ("", Locale::En),
            ("*", Locale::En),
            ("en", Locale::En),
            ("zh", Locale::Zh),
            ("ZH-cn", Locale::Zh),
            ("zh-Hans-CN,zh;q=0.9,en;q=0.8", Locale::Zh),
            ("en-US,en;q=0.9,zh-CN;q=0.8", Locale::En),
            ("en;q=0.3, zh ; q=0.31", Locale::Zh),
            ("fr, de;q=0.9, zh;q=0.1", Locale::Zh),
            ("fr", Locale::En),
            ("zh;q=0", Locale::En),
            ("zh;q=0.000, en;q=0.001", Locale::En),
            ("zh;q=1.5", Locale::En),
            ("zh;q=x, en;q=0.1", Locale::En),
            ("zh;level=1", Locale::En),
            ("zhx", Locale::En),
            ("en,zh", Locale::En),
            ("zh,en", Locale::Zh),
            (";;,,q=1,zh;", Locale::En),
        ] {
            assert_eq!(Locale::of_accept_language(header), locale, "{header}");
        }
    }

    #[test]
    fn lengths_of_time_are_said_in_each_language() {
        for (minutes, english, chinese) in [
            (1, "1 minute", "1 分钟"),
            (30, "30 minutes", "30 分钟"),
            (60, "1 hour", "1 小时"),
            (90, "90 minutes", "90 分钟"),
            (1_440, "24 hours", "24 小时"),
            (10_080, "7 days", "7 天"),
        ] {
            let length = Duration::from_mins(minutes);
            assert_eq!(Locale::En.in_words(length), english);
            assert_eq!(Locale::Zh.in_words(length), chinese);
        }
    }

    #[test]
    fn codes_are_read_back() {
        for locale in Locale::ALL {
            assert_eq!(Locale::parse(locale.as_str()), Some(locale));
        }
        assert_eq!(Locale::parse("zh-CN"), None);
    }
}
