//! The pages that ask whoever is signed in: may this program, shall this browser sign out.

use askama::Template;

use crate::{Hidden, Look, filters};

/// Whoever is signed in.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// What the user is called.
    pub name: &'a str,
    /// The address of the account.
    pub email: &'a str,
}

/// Where the browser goes with the answer: what people can judge a program by, beside the name that it gave itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination<'a> {
    /// A host on the network, with its port if it has one.
    Site(&'a str),
    /// A program that listens on this device.
    Device,
    /// An app that took a scheme for itself.
    App(&'a str),
}

impl<'a> Destination<'a> {
    /// Where a redirect URI leads.
    #[must_use]
    pub fn of(redirect_uri: &'a str) -> Self {
        let (scheme, rest) = redirect_uri.split_once(':').unwrap_or(("", redirect_uri));
        if !["http", "https"]
            .iter()
            .any(|web| scheme.eq_ignore_ascii_case(web))
        {
            return Self::App(scheme);
        }
        // Browsers take a backslash for a slash.
        let rest = rest.trim_start_matches(['/', '\\']);
        let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        match name.to_ascii_lowercase().as_str() {
            "localhost" | "127.0.0.1" | "[::1]" => Self::Device,
            _ => Self::Site(host),
        }
    }
}

/// "May Grafana sign you in?": `decision=allow` or `decision=deny`, to `/oauth/consent`.
#[derive(Clone, Debug, Template)]
#[template(path = "consent.html")]
pub struct Consent<'a> {
    /// What all pages have in common.
    pub look: Look<'a>,
    /// The program that asks.
    pub client: &'a str,
    /// Who is asked.
    pub person: Person<'a>,
    /// What the program will be able to do, by the words of OAuth.
    pub scopes: &'a [&'a str],
    /// Where the browser goes then.
    pub destination: Destination<'a>,
    /// What goes along with the form.
    pub hidden: Hidden<'a>,
    /// Where somebody else signs in.
    pub another: Option<&'a str>,
}

/// "Continue as Ada to the app?": `decision=allow` or `decision=deny`, to `/oauth/consent`. Any program on a device
/// could have opened this page in the name of another (RFC 8252 §8.6).
#[derive(Clone, Debug, Template)]
#[template(path = "continue-as.html")]
pub struct ContinueAs<'a> {
    /// What all pages have in common.
    pub look: Look<'a>,
    /// The program that asks.
    pub client: &'a str,
    /// Who is asked.
    pub person: Person<'a>,
    /// Where the browser goes then.
    pub destination: Destination<'a>,
    /// What goes along with the form.
    pub hidden: Hidden<'a>,
    /// Where somebody else signs in.
    pub another: Option<&'a str>,
}

/// "Sign out of everything in this browser?": `decision=allow`, to `/oauth/sign-out`.
#[derive(Clone, Debug, Template)]
#[template(path = "sign-out.html")]
pub struct SignOut<'a> {
    /// What all pages have in common.
    pub look: Look<'a>,
    /// Who is signed in, if anybody.
    pub person: Option<Person<'a>>,
    /// The programs that this browser is signed in to.
    pub programs: &'a [&'a str],
    /// What goes along with the form.
    pub hidden: Hidden<'a>,
    /// Where to go without signing out.
    pub stay: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_the_host_that_the_browser_goes_to() {
        for (uri, destination) in [
            (
                "https://grafana.example/login/x?y",
                Destination::Site("grafana.example"),
            ),
            (
                "https://grafana.example",
                Destination::Site("grafana.example"),
            ),
            (
                "HTTPS://Grafana.example:8443/",
                Destination::Site("Grafana.example:8443"),
            ),
            (
                "https://good.example@evil.example/",
                Destination::Site("evil.example"),
            ),
            (
                "https://evil.example\\@good.example/",
                Destination::Site("evil.example"),
            ),
            (
                "https:\\\\evil.example/good.example",
                Destination::Site("evil.example"),
            ),
            (
                "https://evil.example?@good.example",
                Destination::Site("evil.example"),
            ),
            (
                "https://evil.example#@good.example",
                Destination::Site("evil.example"),
            ),
            (
                "https://localhost.example/",
                Destination::Site("localhost.example"),
            ),
            (
                "https://[2001:db8::1]:8443/",
                Destination::Site("[2001:db8::1]:8443"),
            ),
            ("http://127.0.0.1:49152/callback", Destination::Device),
            ("http://[::1]/callback", Destination::Device),
            ("http://[::1]:7/callback", Destination::Device),
            ("http://LocalHost:80", Destination::Device),
            (
                "com.example.app:/callback",
                Destination::App("com.example.app"),
            ),
            (
                "com.example.app://localhost/x",
                Destination::App("com.example.app"),
            ),
        ] {
            assert_eq!(Destination::of(uri), destination, "{uri}");
        }
    }
}
