//! What `client add` and `client set` say of a client.

use clap::Args;

use crate::clients::Definition;

/// Options with several values are repeated; what is not given is left as it is.
#[derive(Args)]
pub(in crate::cli) struct Options {
    /// Name that users are shown; the id by default.
    #[arg(long)]
    name: Option<String>,
    /// Where codes may go; may be given several times.
    #[arg(long = "redirect", value_name = "URI")]
    redirects: Vec<String>,
    /// Its access tokens are for the APIs; without it for userinfo alone. `--api=false` takes it back.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    api: Option<bool>,
    /// It is yours: users are not asked whether they agree. `--trusted=false` takes it back.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    trusted: Option<bool>,
    /// A word of what it may ask for; may be given several times. By default openid, profile, email, `offline_access`; of
    /// a service none.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// A role of a service; may be given several times.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Where browsers may go after a log-out; may be given several times.
    #[arg(long = "logout-redirect", value_name = "URI")]
    logout_redirects: Vec<String>,
    /// Where it hears of log-outs (OIDC Back-Channel Logout).
    #[arg(long, value_name = "URI")]
    backchannel: Option<String>,
    /// That may be in a private network, which is else not reached. `--backchannel-private=false` takes it back.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    backchannel_private: Option<bool>,
    /// What its `id_token`s are signed with: RS256 (by default) or ES256.
    #[arg(long, value_name = "ALG")]
    id_token_alg: Option<String>,
    /// It cannot do PKCE; only clients with a secret may do without. `--without-pkce=false` asks for it again.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    without_pkce: Option<bool>,
}

impl Options {
    /// Puts what is given into a description.
    pub(super) fn change(&self, it: &mut Definition) {
        if let Some(name) = &self.name {
            it.name = (!name.is_empty()).then(|| name.clone());
        }
        for (given, list) in [
            (&self.redirects, &mut it.redirect_uris),
            (&self.logout_redirects, &mut it.logout_uris),
            (&self.roles, &mut it.roles),
        ] {
            if let Some(values) = values(given) {
                *list = values;
            }
        }
        if let Some(scopes) = values(&self.scopes) {
            it.scopes = Some(scopes);
        }
        if let Some(uri) = &self.backchannel {
            it.backchannel_uri = (!uri.is_empty()).then(|| uri.clone());
            it.backchannel_private &= it.backchannel_uri.is_some();
        }
        it.backchannel_private = self.backchannel_private.unwrap_or(it.backchannel_private);
        if let Some(alg) = &self.id_token_alg {
            it.id_token_alg.clone_from(alg);
        }
        it.api = self.api.unwrap_or(it.api);
        it.trusted = self.trusted.unwrap_or(it.trusted);
        it.pkce = self.without_pkce.map_or(it.pkce, |without| !without);
    }
}

/// The values, if any were given. A single empty one stands for none.
fn values(given: &[String]) -> Option<Vec<String>> {
    match given {
        [] => None,
        [empty] if empty.is_empty() => Some(Vec::new()),
        all => Some(all.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::clients::ClientKind;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        options: Options,
    }

    fn changed(words: &[&str], mut it: Definition) -> Definition {
        let words = [&["x"], words].concat();
        Words::try_parse_from(words)
            .unwrap()
            .options
            .change(&mut it);
        it
    }

    #[test]
    fn only_what_is_given_changes_and_an_empty_value_takes_away() {
        let before = Definition {
            redirect_uris: vec!["https://a.example/".into()],
            logout_uris: vec!["https://a.example/bye".into()],
            backchannel_uri: Some("https://a.example/out".into()),
            api: true,
            pkce: false,
            ..Definition::new("a", ClientKind::Web)
        };
        let said = |it: &Definition| format!("{it:?}");
        assert_eq!(said(&changed(&[], before.clone())), said(&before));
        let after = changed(
            &[
                "--redirect",
                "https://b.example/",
                "--redirect=https://c.example/",
                "--scope",
                "",
            ],
            before.clone(),
        );
        let wanted = Definition {
            redirect_uris: vec!["https://b.example/".into(), "https://c.example/".into()],
            scopes: Some(vec![]),
            ..before.clone()
        };
        assert_eq!(said(&after), said(&wanted));
        let words = [
            "--logout-redirect=",
            "--backchannel",
            "",
            "--api=false",
            "--trusted",
            "--without-pkce=false",
        ];
        let wanted = Definition {
            logout_uris: vec![],
            backchannel_uri: None,
            api: false,
            trusted: true,
            pkce: true,
            ..before.clone()
        };
        assert_eq!(said(&changed(&words, before)), said(&wanted));
    }
}
