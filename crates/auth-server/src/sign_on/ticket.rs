//! What was done on the way to a code, as MACed words in the request; and the words that only our own forms carry.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;

use crate::db::SessionId;
use crate::mac_keys::MacKeyFile;

/// Seconds that a ticket is good: time to read a page.
const GOOD: i64 = 600;

const TICKETS: &[u8] = b"keyturn ticket v1\0";
const FORMS: &[u8] = b"keyturn form v1\0";

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticket {
    /// The user logged in.
    Since,
    /// He agreed.
    Agreed,
    /// He did not.
    Denied,
}

impl Ticket {
    /// The name of its parameter.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Since => "since",
            Self::Agreed => "agreed",
            Self::Denied => "denied",
        }
    }
}

/// Binds a ticket to the whole request, to the browser's session and to the time: one that is copied from the history
/// is worth nothing in another request, after another log-in or ten minutes later.
pub(super) fn issue(
    keys: &MacKeyFile,
    ticket: Ticket,
    request: &str,
    browser: Option<SessionId>,
    now: i64,
) -> Option<String> {
    let ring = keys.ring();
    let key = ring.signing(now)?;
    let mac = mac(key.mac(TICKETS), ticket, request, browser, now);
    let mut bytes = key.id().to_be_bytes().to_vec();
    bytes.extend_from_slice(&now.to_be_bytes());
    bytes.extend_from_slice(&mac.finalize().into_bytes());
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

pub(super) fn holds(
    keys: &MacKeyFile,
    ticket: Ticket,
    word: &str,
    request: &str,
    browser: Option<SessionId>,
    now: i64,
) -> bool {
    let judged = || {
        let bytes: [u8; 44] = URL_SAFE_NO_PAD.decode(word).ok()?.try_into().ok()?;
        let (head, presented) = bytes.split_at(12);
        let (id, at) = head.split_at(4);
        let at = i64::from_be_bytes(at.try_into().ok()?);
        let ring = keys.ring();
        let key = ring.find(u32::from_be_bytes(id.try_into().ok()?))?;
        // Another replica's clock may be a little ahead.
        let in_time = (at.saturating_sub(60)..at.saturating_add(GOOD)).contains(&now);
        let mac = mac(key.mac(TICKETS), ticket, request, browser, at);
        (in_time && mac.verify_slice(presented).is_ok()).then_some(())
    };
    judged().is_some()
}

fn mac<M: Mac>(mac: M, ticket: Ticket, request: &str, browser: Option<SessionId>, at: i64) -> M {
    let none = [0; 16];
    mac.chain_update(ticket.name())
        .chain_update([0])
        .chain_update(at.to_be_bytes())
        .chain_update(browser.as_ref().map_or(&none, SessionId::as_bytes))
        .chain_update(request)
}

/// What a form of ours does.
#[derive(Clone, Copy)]
pub enum FormPurpose<'a> {
    /// Log-in, registration and "forgot": what needs no session.
    Enter,
    /// The answer to a question that this session of the browser was asked about this request: no other one's, and
    /// about no other.
    Answer(SessionId, &'a str),
    /// The yes of this session's user to signing out, for this request.
    Leave(SessionId, &'a str),
}

/// The double-submitted token of our forms: an HMAC of a cookie that only our pages set. Another site can send a form,
/// and the browser sends the cookie along, but it cannot know this.
pub struct FormTokens<'a>(&'a MacKeyFile);

impl<'a> FormTokens<'a> {
    pub(super) fn new(keys: &'a MacKeyFile) -> Self {
        Self(keys)
    }

    /// A fresh value of the cookie.
    #[must_use]
    pub fn fresh_cookie() -> String {
        URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>())
    }

    /// Whether a cookie's value is one that we could have set.
    #[must_use]
    pub fn is_cookie(value: &str) -> bool {
        value.len() == 32 && URL_SAFE_NO_PAD.decode(value).is_ok()
    }

    /// The field of a form, for the browser with this cookie; `None` if there is no key.
    #[must_use]
    pub fn field(&self, cookie: &str, purpose: &FormPurpose<'_>, now: i64) -> Option<String> {
        let ring = self.0.ring();
        let key = ring.signing(now)?;
        let mac = of_form(key.mac(FORMS), cookie, purpose);
        let mut bytes = key.id().to_be_bytes().to_vec();
        bytes.extend_from_slice(&mac.finalize().into_bytes());
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Whether this field belongs to this cookie.
    #[must_use]
    pub fn fits(&self, field: &str, cookie: &str, purpose: &FormPurpose<'_>) -> bool {
        let judged = || {
            let bytes: [u8; 36] = URL_SAFE_NO_PAD.decode(field).ok()?.try_into().ok()?;
            let (id, presented) = bytes.split_at(4);
            let ring = self.0.ring();
            let key = ring.find(u32::from_be_bytes(id.try_into().ok()?))?;
            of_form(key.mac(FORMS), cookie, purpose)
                .verify_slice(presented)
                .ok()
        };
        judged().is_some()
    }
}

fn of_form<M: Mac>(mac: M, cookie: &str, purpose: &FormPurpose<'_>) -> M {
    match purpose {
        FormPurpose::Enter => mac.chain_update(b"enter\0").chain_update(cookie),
        // The cookie has always the same length, and so has the id.
        FormPurpose::Answer(session, request) | FormPurpose::Leave(session, request) => mac
            .chain_update(match purpose {
                FormPurpose::Leave(..) => b"leave\0".as_slice(),
                _ => b"answer\0",
            })
            .chain_update(cookie)
            .chain_update(session.as_bytes())
            .chain_update(request),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mac_keys::MacKeys;
    use shared::key_file::FileOf;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn a_ticket_is_good_for_one_request_one_browser_and_ten_minutes() {
        let keys = FileOf::fixed(MacKeys::generate(0));
        let (browser, other) = (SessionId::random(), SessionId::random());
        let word = issue(&keys, Ticket::Since, "a=b", Some(browser), NOW).unwrap();
        let holds =
            |ticket, request, browser, now| holds(&keys, ticket, &word, request, browser, now);
        assert!(holds(Ticket::Since, "a=b", Some(browser), NOW));
        assert!(holds(Ticket::Since, "a=b", Some(browser), NOW + GOOD - 1));
        for (ticket, request, browser, now) in [
            (Ticket::Agreed, "a=b", Some(browser), NOW),
            (Ticket::Denied, "a=b", Some(browser), NOW),
            (Ticket::Since, "a=c", Some(browser), NOW),
            (Ticket::Since, "a=b&", Some(browser), NOW),
            (Ticket::Since, "a=b", Some(other), NOW),
            (Ticket::Since, "a=b", None, NOW),
            (Ticket::Since, "a=b", Some(browser), NOW + GOOD),
            (Ticket::Since, "a=b", Some(browser), NOW - 61),
        ] {
            assert!(
                !holds(ticket, request, browser, now),
                "{ticket:?} {request} {now}"
            );
        }
        let theirs = FileOf::fixed(MacKeys::generate(0));
        let forged = issue(&theirs, Ticket::Since, "a=b", Some(browser), NOW).unwrap();
        assert!(!super::holds(
            &keys,
            Ticket::Since,
            &forged,
            "a=b",
            Some(browser),
            NOW
        ));
        assert!(!super::holds(
            &keys,
            Ticket::Since,
            "",
            "a=b",
            Some(browser),
            NOW
        ));
    }

    #[test]
    fn a_forms_token_belongs_to_one_cookie_and_one_kind_of_form() {
        let keys = FileOf::fixed(MacKeys::generate(0));
        let forms = FormTokens::new(&keys);
        let (mine, theirs) = (FormTokens::fresh_cookie(), FormTokens::fresh_cookie());
        assert!(FormTokens::is_cookie(&mine) && !FormTokens::is_cookie("x"));
        let enter = FormPurpose::Enter;
        let field = forms.field(&mine, &enter, NOW).unwrap();
        assert!(forms.fits(&field, &mine, &enter));
        assert!(!forms.fits(&field, &theirs, &enter));
        assert!(!forms.fits("", &mine, &enter));
        assert!(!forms.fits(&mine, &mine, &enter));
        let (ada, bob) = (SessionId::random(), SessionId::random());
        let asked = FormPurpose::Answer(ada, "scope=openid");
        assert!(!forms.fits(&field, &mine, &asked));
        let field = forms.field(&mine, &asked, NOW).unwrap();
        assert!(forms.fits(&field, &mine, &asked));
        for other in [
            FormPurpose::Answer(bob, "scope=openid"),
            FormPurpose::Answer(ada, "scope=openid+roles"),
            enter,
        ] {
            assert!(!forms.fits(&field, &mine, &other));
        }
    }
}
