//! What the log-in page offers besides the log-in.

use crate::settings::Registration;

/// What there is for who has no account, or no password any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offers {
    /// May strangers register?
    pub(crate) registration: Registration,
    /// Is mail sent, by which a forgotten password is replaced?
    pub(crate) mail: bool,
}

impl Offers {
    pub(super) fn registers(self) -> bool {
        matches!(
            self.registration,
            Registration::Open | Registration::Verified
        )
    }
}
