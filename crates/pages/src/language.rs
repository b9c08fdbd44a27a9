//! The languages of the pages.

/// A language that pages are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Chinese, in simplified characters.
    Zh,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::En, Self::Zh];

    /// The first of our languages in `ui_locales`: language tags by blanks, the most liked first (OIDC
    /// Core §3.1.2.1).
    #[must_use]
    pub fn of_ui_locales(tags: &str) -> Option<Self> {
        tags.split_ascii_whitespace().find_map(|tag| {
            let language = tag.split('-').next().unwrap_or_default();
            Self::ALL
                .into_iter()
                .find(|ours| ours.code().eq_ignore_ascii_case(language))
        })
    }

    /// Its primary subtag (RFC 5646).
    fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tag_that_we_speak_decides() {
        for (tags, language) in [
            ("", None),
            ("fr", None),
            ("zhx enx", None),
            ("en", Some(Language::En)),
            ("ZH-cn", Some(Language::Zh)),
            ("zh-Hans-CN en", Some(Language::Zh)),
            ("fr-CA  en-GB zh", Some(Language::En)),
            ("- -en zh_CN zh", Some(Language::Zh)),
        ] {
            assert_eq!(Language::of_ui_locales(tags), language, "{tags}");
        }
    }
}
