//! What the audit trail tells of.

/// What happened to a session or an account: the audit trail's `event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An account was made.
    Registered,
    /// A log-in began a session.
    LoggedIn,
    /// A session ended; the detail is an [`EndReason`](super::EndReason).
    SessionEnded,
    /// The current token was handed out again after the grace time.
    LateRetry,
    /// The current token was handed out again to another network or another user agent; the detail says which.
    RetryElsewhere,
    /// A genuine token newer than the row: the database was restored or failed over.
    RowBehind,
    /// The password was changed.
    PasswordChanged,
    /// Name, e-mail or roles were changed; the detail says which.
    AccountChanged,
    /// The account was blocked; the detail says by what.
    UserBlocked,
    /// The account was unblocked.
    UserUnblocked,
    /// The account was deleted.
    UserDeleted,
    /// A key command; the detail says which.
    KeysChanged,
    /// Failed log-ins began to be delayed.
    LoginDelayed,
    /// The address was proven.
    EmailVerified,
    /// A change of the address waits for its proof.
    EmailChangeRequested,
    /// Somebody was invited; the account is the one that the invitation makes.
    Invited,
    /// An invitation was accepted; the detail is a digest of its address.
    InvitationAccepted,
    /// An account whose address nobody had proven, and which nobody had used, went to a later registration.
    Replaced,
    /// Accounts were imported; the detail says how many.
    UsersImported,
    /// A mail was given up; the detail says of which kind.
    MailGivenUp,
    /// A client fetched its session with a code; the detail is the client.
    AppSignedIn,
    /// The user agreed to what a client asked for; the detail is the client.
    ConsentGiven,
    /// A client was told of a log-out; the session is the `sid` that it knows, the detail the client.
    LogOutDelivered,
    /// A client could not be told of a log-out for a day; as [`Self::LogOutDelivered`].
    LogOutGivenUp,
    /// The user took access away from a client: what he agreed to is forgotten; the detail is the client.
    ConsentWithdrawn,
    /// A client was added, changed, blocked or removed; the detail says which and what.
    ClientChanged,
}

impl Event {
    /// The word in the audit trail.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::LoggedIn => "logged_in",
            Self::SessionEnded => "session_ended",
            Self::LateRetry => "late_retry",
            Self::RetryElsewhere => "retry_elsewhere",
            Self::RowBehind => "row_behind",
            Self::PasswordChanged => "password_changed",
            Self::AccountChanged => "account_changed",
            Self::UserBlocked => "user_blocked",
            Self::UserUnblocked => "user_unblocked",
            Self::UserDeleted => "user_deleted",
            Self::KeysChanged => "keys_changed",
            Self::LoginDelayed => "login_delayed",
            Self::EmailVerified => "email_verified",
            Self::EmailChangeRequested => "email_change_requested",
            Self::Invited => "invited",
            Self::InvitationAccepted => "invitation_accepted",
            Self::Replaced => "replaced",
            Self::UsersImported => "users_imported",
            Self::MailGivenUp => "mail_given_up",
            Self::AppSignedIn => "app_signed_in",
            Self::ConsentGiven => "consent_given",
            Self::LogOutDelivered => "log_out_delivered",
            Self::LogOutGivenUp => "log_out_given_up",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::ClientChanged => "client_changed",
        }
    }
}
