//! What quickstart prints once both services run: where to look and lines to paste.
//!
//! The lines need a POSIX shell, curl and sed, nothing else.

use std::fmt;

use auth_server::clients::Definition;

/// The addresses and the account to show.
#[derive(Clone, Debug)]
pub(crate) struct Banner<'a> {
    /// Address of auth-server.
    pub(crate) auth: &'a str,
    /// Address of resource-api.
    pub(crate) resource: &'a str,
    /// Where browsers find the demo page, without the slash; none if auth-server serves none.
    pub(crate) page: Option<&'a str>,
    /// The client that is there for the demo page; none without sign-on.
    pub(crate) client: Option<&'a Definition>,
    /// E-mail address and password of the demo account; none if its user has removed it.
    pub(crate) demo: Option<(&'a str, &'a str)>,
    /// Lifetime of an access token in seconds.
    pub(crate) ttl: u64,
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            auth,
            resource,
            ttl,
            ..
        } = self;
        writeln!(f, "\nKeyturn is running; Ctrl-C stops it.\n")?;
        match self.page {
            Some(page) => writeln!(f, "  page           {page}/")?,
            None => writeln!(f, "  page           none (there is no folder `web` here)")?,
        }
        writeln!(
            f,
            "  auth-server    {auth}   (description: {auth}/openapi.json)"
        )?;
        writeln!(
            f,
            "  resource-api   {resource}   (description: {resource}/openapi.json)"
        )?;
        if let Some(client) = self.client {
            let redirect = client.redirect_uris.first().map_or("", String::as_str);
            writeln!(
                f,
                "  demo client    {}   redirect URI: {redirect}",
                client.id
            )?;
        }
        let Some((email, password)) = self.demo else {
            return writeln!(f, "  demo user      none (DEMO_USER is empty)");
        };
        writeln!(f, "  demo user      {email}   password: {password}")?;
        writeln!(f, "  access tokens  live {ttl} s\n")?;
        writeln!(
            f,
            "Paste these to log in, call the API, and turn the tokens over:\n"
        )?;
        let login = serde_json::json!({"email": email, "password": password});
        let login = quoted(&login.to_string());
        let json = "-H 'Content-Type: application/json'";
        writeln!(
            f,
            "  PAIR=$(curl -sS {auth}/api/account/login {json} -d {login})"
        )?;
        writeln!(
            f,
            "  ACCESS=$(echo \"$PAIR\" | sed 's/.*\"accessToken\":\"\\([^\"]*\\)\".*/\\1/')"
        )?;
        writeln!(
            f,
            "  REFRESH=$(echo \"$PAIR\" | sed 's/.*\"refreshToken\":\"\\([^\"]*\\)\".*/\\1/')"
        )?;
        writeln!(
            f,
            "  curl -i {resource}/api/home -H \"Authorization: Bearer $ACCESS\"; echo"
        )?;
        writeln!(
            f,
            "  curl -i {auth}/api/account/refresh-token {json} \
             -d \"{{\\\"accessToken\\\":\\\"$ACCESS\\\",\\\"refreshToken\\\":\\\"$REFRESH\\\"}}\"; echo"
        )
    }
}

/// Quotes a word for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banner(email: &str, password: &str) -> String {
        let (auth, resource) = ("http://127.0.0.1:5000", "http://127.0.0.1:5001");
        let client = crate::demo_client::at("http://localhost:5000");
        Banner {
            auth,
            resource,
            page: Some("http://localhost:5000"),
            client: Some(&client),
            demo: Some((email, password)),
            ttl: 60,
        }
        .to_string()
    }

    #[test]
    fn it_says_where_to_look_and_with_what() {
        let text = banner("demo@example.com", "keyturn-demo");
        for part in [
            "page           http://localhost:5000/\n",
            "auth-server    http://127.0.0.1:5000 ",
            "demo client    demo   redirect URI: http://localhost:5000/\n",
            "demo@example.com",
            "keyturn-demo",
            "live 60 s",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn a_password_with_quotes_is_still_pasteable() {
        let text = banner("demo@example.com", r#"it's "so" \"#);
        assert!(
            text.contains(r#""password":"it'\''s \"so\" \\"}'"#),
            "{text}"
        );
    }
}
