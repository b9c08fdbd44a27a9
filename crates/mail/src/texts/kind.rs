//! What a mail is about.

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A link to choose a new password.
    Reset,
    /// A link to confirm the address of a new account.
    Verify,
    /// A link to confirm a new address; goes to the new one.
    Change,
    /// That somebody asked for another address, and for which; goes to the old one.
    ChangeNote,
    /// That the address was changed, and to which; goes to the old one.
    AddressChanged,
    /// That the password was changed.
    PasswordChanged,
    /// That somebody registered with an address that has an account.
    AccountExists,
    /// A link to make an account that somebody offers.
    Invitation,
    /// That the account was blocked.
    Blocked,
    /// That somebody logged in from a device not seen before.
    NewDevice,
    /// That mail works.
    Test,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Reset,
        Self::Verify,
        Self::Change,
        Self::ChangeNote,
        Self::AddressChanged,
        Self::PasswordChanged,
        Self::AccountExists,
        Self::Invitation,
        Self::Blocked,
        Self::NewDevice,
        Self::Test,
    ];

    /// Its name: of its template, and where it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::Change => "change",
            Self::ChangeNote => "change_note",
            Self::AddressChanged => "address_changed",
            Self::PasswordChanged => "password_changed",
            Self::AccountExists => "account_exists",
            Self::Invitation => "invitation",
            Self::Blocked => "blocked",
            Self::NewDevice => "new_device",
            Self::Test => "test",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether the mail has a link to open.
    #[must_use]
    pub fn has_link(self) -> bool {
        matches!(
            self,
            Self::Reset | Self::Verify | Self::Change | Self::Invitation
        )
    }

    /// Whether the name of the account may be in it. It may not where the mail can be made to go to anybody: the
    /// name would carry a stranger's message to them in our name. A reset can, while the address is unverified.
    pub(super) fn may_name(self) -> bool {
        match self {
            Self::Reset | Self::Verify | Self::Change | Self::AccountExists | Self::Invitation => {
                false
            }
            Self::ChangeNote
            | Self::AddressChanged
            | Self::PasswordChanged
            | Self::Blocked
            | Self::NewDevice
            | Self::Test => true,
        }
    }
}
