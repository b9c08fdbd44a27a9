//! Which web pages may call a service: the setting `CORS_ALLOWED_ORIGINS`, parsed once.

use std::str::FromStr;

/// The origins that browsers let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Every one. No harm is in that, since there are no cookies: whoever calls brings the token.
    Any,
    /// Exactly these, as a browser writes them: `https://app.example.com`.
    List(Vec<String>),
}

impl CorsOrigins {
    /// Whether a page of this origin may call.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::List(list) => list.iter().any(|allowed| allowed == origin),
        }
    }
}

impl FromStr for CorsOrigins {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        text.split(',')
            .map(|origin| parse(origin.trim()))
            .collect::<Result<_, _>>()
            .map(Self::List)
    }
}

/// Checks that a browser could send this origin (RFC 6454 §6.2): otherwise it would never match,
/// and nobody would know why.
fn parse(origin: &str) -> Result<String, String> {
    let fault = |why: &str| {
        Err(format!(
            "{origin:?} is not an origin: {why}; write it like https://app.example.com"
        ))
    };
    let origin = origin.to_ascii_lowercase();
    let Some((scheme, host)) = origin.split_once("://") else {
        return fault("scheme and :// are missing");
    };
    if scheme.is_empty()
        || !scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    {
        return fault("its scheme cannot be one");
    }
    if host.is_empty()
        || host.contains(['/', '?', '#', '@', '*', '\\'])
        || !host.bytes().all(|b| b.is_ascii_graphic())
    {
        return fault("it ends after host and port, without a path");
    }
    if (scheme == "https" && host.ends_with(":443")) || (scheme == "http" && host.ends_with(":80"))
    {
        return fault("browsers leave the usual port out");
    }
    Ok(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_and_a_list_is_exact() {
        assert_eq!("*".parse(), Ok(CorsOrigins::Any));
        let list: CorsOrigins = "https://App.example.com, http://localhost:8080"
            .parse()
            .unwrap();
        assert!(list.allows("https://app.example.com"));
        assert!(list.allows("http://localhost:8080"));
        for other in [
            "http://app.example.com",
            "https://app.example.com.evil.com",
            "null",
            "",
        ] {
            assert!(!list.allows(other), "{other}");
        }
    }

    #[test]
    fn what_no_browser_sends_is_refused() {
        for bad in [
            "",
            "app.example.com",
            "https://",
            "https://a.com/",
            "https://a.com/x",
            "null",
            "https://a.com:443",
            "http://a.com:80",
            "https://*.a.com",
            "*, https://a.com",
            "https://a b.com",
        ] {
            assert!(bad.parse::<CorsOrigins>().is_err(), "{bad}");
        }
    }
}
