//! What names, e-mails and passwords must look like.

use crate::error::Error;
use crate::password::Password;

pub(super) fn check_user_name(name: &str) -> Result<(), Error> {
    let fine = (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fine {
        Ok(())
    } else {
        Err(Error::InvalidUserName)
    }
}

pub(super) fn check_email(email: &str) -> Result<(), Error> {
    let mut parts = email.split('@');
    let two = matches!(
        (parts.next(), parts.next(), parts.next()),
        (Some(local), Some(domain), None) if !local.is_empty() && !domain.is_empty()
    );
    let fine =
        two && email.len() <= 254 && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    if fine {
        Ok(())
    } else {
        Err(Error::InvalidEmail)
    }
}

/// Whether a password may be set.
///
/// # Errors
/// [`Error::WeakPassword`].
pub fn check_password(password: &Password) -> Result<(), Error> {
    if password.is_acceptable() {
        Ok(())
    } else {
        Err(Error::WeakPassword)
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
            assert!(check_email(good).is_ok(), "{good}");
        }
        let too_long = format!("a{longest}");
        for bad in [
            "",
            "@",
            "a@",
            "@b",
            "ab",
            "a@b@c",
            "a b@c",
            "a@b\n",
            "a@b\0",
            "a\u{a0}@b",
            &too_long,
        ] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn user_names_have_1_to_64_characters_and_no_controls() {
        for good in ["王小明", "a", &"é".repeat(64), "with space"] {
            assert!(check_user_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a\tb", "a\0", &"é".repeat(65)] {
            assert!(check_user_name(bad).is_err(), "{bad}");
        }
    }
}
