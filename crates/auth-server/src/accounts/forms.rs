//! What names, e-mails and passwords must look like.

use crate::error::Error;
use crate::log_in::password::Password;
use crate::spelling;
use crate::strength::Weak;

/// A user name as it is kept (RFC 8266).
pub(super) fn user_name(text: &str) -> Result<String, Error> {
    let fine =
        |name: &String| (1..=64).contains(&name.chars().count()) && spelling::is_visible(name);
    // Before as well: what is compatible with a visible character may itself be none.
    Some(text)
        .filter(|text| spelling::is_visible(text))
        .and_then(spelling::name)
        .filter(fine)
        .ok_or(Error::InvalidUserName)
}

/// An e-mail as it is kept.
pub(super) fn email(text: &str) -> Result<String, Error> {
    let email = spelling::email(text);
    let mut parts = email.split('@');
    let two = matches!(
        (parts.next(), parts.next(), parts.next()),
        (Some(local), Some(domain), None) if !local.is_empty() && !domain.is_empty()
    );
    let joiner = |c: char| matches!(c, '\u{200c}' | '\u{200d}');
    let fine = two
        && email.len() <= 254
        && spelling::is_visible(&email)
        && !email.chars().any(|c| c.is_whitespace() || joiner(c));
    if fine {
        Ok(email)
    } else {
        Err(Error::InvalidEmail)
    }
}

/// Whether a password may be set.
///
/// # Errors
/// [`Error::WeakPassword`].
pub(crate) fn check_password(password: &Password) -> Result<(), Error> {
    if password.is_acceptable() {
        Ok(())
    } else {
        Err(Error::WeakPassword(Weak::Length))
    }
}

/// Bytes of all roles of an account: every token carries them, and a gate takes 8 KiB.
const MOST_ROLES: usize = 2048;

pub(super) fn check_roles(roles: &[String]) -> Result<(), Error> {
    let named = |role: &String| !role.is_empty() && !role.chars().any(char::is_control);
    if !roles.iter().all(named) {
        return Err(Error::InvalidRequest(
            "a role has a name, without control characters",
        ));
    }
    if roles.iter().map(|role| role.len() + 3).sum::<usize>() > MOST_ROLES {
        return Err(Error::InvalidRequest(
            "all roles of an account together have at most 2 KiB: they travel with every request",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_have_names_and_fit_into_a_token() {
        let roles = |role: &str, times| vec![role.to_owned(); times];
        for good in [vec![], roles("admin", 1), roles("a role", 100)] {
            assert!(check_roles(&good).is_ok(), "{good:?}");
        }
        for bad in [roles("", 1), roles("a\n", 1), roles("a role", 1000)] {
            assert!(check_roles(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn emails_have_one_at_and_no_space() {
        let longest = format!("{}@b.example", "a".repeat(244));
        for good in ["a@b", "王@例え.jp", "a+b@c.d", longest.as_str()] {
            assert_eq!(email(good).unwrap(), good);
        }
        let too_long = format!("a{longest}");
        for bad in [
            "",
            " ",
            "@",
            "a@",
            "@b",
            " @b",
            "ab",
            "a@b@c",
            "a b@c",
            "a@b\0",
            "a\u{a0}@b",
            "a\u{200b}@b",
            "a\u{202e}@b",
            "\u{feff}a@b",
            "a@b\u{200d}",
            "می\u{200c}خ@b",
            &too_long,
        ] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn blanks_around_an_e_mail_and_its_composition_do_not_matter() {
        let longest = format!("{}@b.example", "é".repeat(122));
        for (sent, kept) in [
            (" a@b", "a@b"),
            ("a@b \u{a0}", "a@b"),
            ("a@b\n", "a@b"),
            ("cafe\u{301}@b", "café@b"),
            (&longest.replace('é', "e\u{301}"), &longest),
        ] {
            assert_eq!(email(sent).unwrap(), kept, "{sent:?}");
        }
    }

    #[test]
    fn user_names_have_1_to_64_characters_that_are_seen() {
        for (sent, kept) in [
            ("王小明", "王小明"),
            ("a", "a"),
            (&*"é".repeat(64), &*"é".repeat(64)),
            (&*"e\u{301}".repeat(64), &*"é".repeat(64)),
            ("with  space ", "with space"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
        ] {
            assert_eq!(user_name(sent).unwrap(), kept);
        }
        for bad in [
            "",
            " ",
            "\u{a0}\u{3000}",
            "\u{200b}",
            "\u{2800}",
            "\u{3164}",
            "a\tb",
            "a\0",
            "ad\u{202e}nim",
            "admin\u{200d}",
            "\u{feff}admin",
            &"é".repeat(65),
            &"\u{fdfa}".repeat(4),
        ] {
            assert!(user_name(bad).is_err(), "{bad:?}");
        }
    }
}
