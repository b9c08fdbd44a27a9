//! The answer to a client that wants it posted (OAuth 2.0 Form Post Response Mode).

use askama::Template;

use crate::{Destination, Hidden, Look, filters};

/// The script that sends the form. A field that is called `submit` would hide the form's own.
pub const FORM_POST_SCRIPT: &str =
    "HTMLFormElement.prototype.submit.call(document.getElementById('answer'))";

/// What a content security policy calls [`FORM_POST_SCRIPT`] by, for its `script-src`.
pub const FORM_POST_SCRIPT_SOURCE: &str = "'sha256-KEQsrnz155by/CaZ3YE89wPohRVcBIkVhJYDA69gi5U='";

/// Fields for the client, which the script sends at once, or the button without it. The policy of this page allows
/// [`FORM_POST_SCRIPT_SOURCE`], and forms to the client.
#[derive(Clone, Debug, Template)]
#[template(path = "form-post.html")]
pub struct FormPost<'a> {
    /// What all pages have in common.
    pub look: Look<'a>,
    /// The client's redirect URI.
    pub action: &'a str,
    /// What the client gets.
    pub fields: Hidden<'a>,
}

impl FormPost<'_> {
    fn destination(&self) -> Destination<'_> {
        Destination::of(self.action)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_policy_names_the_script_that_the_page_has() {
        let hash = STANDARD.encode(Sha256::digest(FORM_POST_SCRIPT));
        assert_eq!(FORM_POST_SCRIPT_SOURCE, format!("'sha256-{hash}'"));
    }
}
