//! What a mail says: the letter's row, and the account as it is when the mail goes out.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use mail::{Kind, Values};
use serde::{Deserialize, Serialize};

use super::link::{Invitation, NewToken, Purpose};
use crate::db::{Db, DbError, Letter, LetterKind, User, UserId};
use crate::mac_keys::MacKeyFile;

/// Makes links: where they lead, and the keys of their tokens.
#[derive(Clone)]
pub(crate) struct Links {
    base: String,
    keys: Arc<MacKeyFile>,
}

impl Links {
    /// Links below `base`, an address without a slash at its end.
    pub(crate) fn new(base: &str, keys: Arc<MacKeyFile>) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            keys,
        }
    }

    /// A link to this account's user, which ends at `until`.
    pub(crate) fn to_user(
        &self,
        purpose: Purpose,
        user: &User,
        address: &str,
        until: i64,
        now: i64,
    ) -> Option<String> {
        self.of(
            &NewToken {
                purpose,
                user: user.account.id,
                address,
                password: Some((user.password_version, &user.password_hash)),
                until,
                invitation: None,
            },
            now,
        )
    }

    /// A link that makes the account `id` of an invitation.
    pub(crate) fn to_guest(&self, id: UserId, invitation: &Invitation, now: i64) -> Option<String> {
        let purpose = Purpose::Invitation;
        self.of(
            &NewToken {
                purpose,
                user: id,
                address: &invitation.email,
                password: None,
                until: now.saturating_add(purpose.lives()),
                invitation: Some(invitation),
            },
            now,
        )
    }

    fn of(&self, token: &NewToken<'_>, now: i64) -> Option<String> {
        let page = token.purpose.page();
        let token = token.encode(&self.keys.ring(), now)?;
        // In the fragment: browsers send it to nobody, and so no log and no Referer has it.
        Some(format!("{}/{page}#token={token}", self.base))
    }
}

/// What an invitation's row has as its detail.
#[derive(Serialize, Deserialize)]
pub(crate) struct Guest {
    /// The account that it makes.
    pub(crate) id: UserId,
    /// Its roles.
    pub(crate) roles: Vec<String>,
}

/// What is to be sent.
pub(super) struct Content {
    pub(super) kind: Kind,
    pub(super) to: String,
    /// The account's.
    name: String,
    pub(super) link: Option<(Purpose, String)>,
    detail: String,
    /// Unix seconds.
    at: i64,
}

impl Content {
    fn of(kind: Kind, letter: &Letter) -> Self {
        Self {
            kind,
            to: letter.address.clone(),
            name: String::new(),
            link: None,
            detail: String::new(),
            at: letter.created_at,
        }
    }

    /// As templates are filled with it, for a service that calls itself so.
    pub(super) fn values<'a>(&'a self, service: &'a str) -> Values<'a> {
        let link = self.link.as_ref();
        Values {
            name: &self.name,
            address: &self.to,
            link: link.map_or("", |(_, link)| link.as_str()),
            lives: link.map_or(Duration::ZERO, |(purpose, _)| purpose.lives_for()),
            service,
            detail: &self.detail,
            when: DateTime::from_timestamp(self.at, 0).unwrap_or_default(),
        }
    }
}

/// What the letter says now; `None` if there is nothing to say any more.
pub(super) async fn of(
    letter: &Letter,
    db: &Db,
    links: &Links,
    now: i64,
) -> Result<Option<Content>, DbError> {
    let Some(LetterKind::Mail(kind)) = letter.kind else {
        // Whoever forgot is looked up before, and what a later version wrote its replicas send.
        return Ok(None);
    };
    if kind == Kind::Invitation {
        return Ok(invitation(letter, links, now));
    }
    let user = match letter.user {
        Some(id) => db.read(move |tx| tx.find_user(id)).await?,
        None => None,
    };
    // What a note tells of was so, whatever became of the account since.
    let Some(user) = user else {
        return Ok(note(kind, letter));
    };
    let usual = |kind| Content {
        name: user.account.user_name.clone(),
        ..Content::of(kind, letter)
    };
    let with = |content: Content, purpose: Purpose, until: i64| {
        let link = links.to_user(purpose, &user, &content.to, until, now)?;
        Some(Content {
            link: Some((purpose, link)),
            ..content
        })
    };
    let own = user.account.email == letter.address;
    Ok(match kind {
        // Only to the mailbox that is the account's today.
        Kind::Reset if own && user.blocked_at.is_none() => with(
            usual(Kind::Reset),
            Purpose::Reset,
            ends(Purpose::Reset, now),
        ),
        Kind::Verify if own && !user.account.email_verified => with(
            usual(Kind::Verify),
            Purpose::Verify,
            ends(Purpose::Verify, now),
        ),
        Kind::Change => user
            .pending_at(now)
            .filter(|pending| pending.email == letter.address)
            .and_then(|pending| with(usual(Kind::Change), Purpose::Change, pending.until)),
        kind => note(kind, letter).map(|content| Content {
            name: user.account.user_name.clone(),
            ..content
        }),
    })
}

/// A mail that only tells; `None` for those with a link.
fn note(kind: Kind, letter: &Letter) -> Option<Content> {
    if kind.has_link() {
        return None;
    }
    let detail = match kind {
        Kind::NewDevice => device_in_our_words(&letter.detail),
        _ => letter.detail.clone(),
    };
    Some(Content {
        detail,
        ..Content::of(kind, letter)
    })
}

fn ends(purpose: Purpose, now: i64) -> i64 {
    now.saturating_add(purpose.lives())
}

fn invitation(letter: &Letter, links: &Links, now: i64) -> Option<Content> {
    let guest: Guest = serde_json::from_str(&letter.detail).ok()?;
    let invitation = Invitation {
        email: letter.address.clone(),
        roles: guest.roles,
    };
    let link = links.to_guest(guest.id, &invitation, now)?;
    Some(Content {
        link: Some((Purpose::Invitation, link)),
        ..Content::of(Kind::Invitation, letter)
    })
}

/// Network address and browser, `ADDRESS USER-AGENT` in the row: of what the browser says of itself only names that we
/// know, since a stranger could write to the user by the others.
fn device_in_our_words(detail: &str) -> String {
    // A browser names those that it wants to be taken for as well, so the special ones come first.
    const BROWSERS: [(&str, &str); 7] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
        ("okhttp/", "okhttp"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let (address, agent) = detail.split_once(' ').unwrap_or((detail, ""));
    let named = |names: &[(&str, &'static str)]| {
        let found = names.iter().find(|(mark, _)| agent.contains(mark));
        found.map(|(_, name)| *name)
    };
    let known = [named(&BROWSERS), named(&SYSTEMS), Some(address)];
    let known: Vec<&str> = known.into_iter().flatten().collect();
    known.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_device_only_names_that_we_know_are_told() {
        for (detail, told) in [
            (
                "203.0.113.9 Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox, Linux, 203.0.113.9",
            ),
            (
                "2001:db8::1 Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0",
                "Edge, Windows, 2001:db8::1",
            ),
            ("203.0.113.9 call https://evil.example", "203.0.113.9"),
            ("203.0.113.9 ", "203.0.113.9"),
        ] {
            assert_eq!(device_in_our_words(detail), told);
        }
    }
}
