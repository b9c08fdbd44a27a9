//! Authorization requests that somebody else wrote: no code goes where none was registered, and every client hears of
//! its faults where its codes go.

use e2e::{Asking, Member, Visitor};

use super::sign_on_cast::{Stage, Table, is_guarded, outcome};

#[tokio::test]
#[rustfmt::skip] // one line a case
#[expect(clippy::too_many_lines, reason = "a table")]
async fn a_redirect_uri_is_the_registered_one_letter_by_letter_or_nobody_is_redirected() {
    let s = Stage::open().await;
    // Signed in and trusted: nothing else stands between the request and its code.
    let visitor = s.browser().await;
    let mut table = Table::default();
    for (client, name, uri) in [
        (&s.shop, "a slash behind", "https://shop.example/cb/"),
        (&s.shop, "no path", "https://shop.example"),
        (&s.shop, "a slash alone", "https://shop.example/"),
        (&s.shop, "a longer path", "https://shop.example/cb/evil"),
        (&s.shop, "a longer name", "https://shop.example/cbx"),
        (&s.shop, "another path", "https://shop.example/other"),
        (&s.shop, "the path in upper case", "https://shop.example/CB"),
        (&s.shop, "the host in upper case", "https://SHOP.example/cb"),
        (&s.shop, "the scheme in upper case", "HTTPS://shop.example/cb"),
        (&s.shop, "http", "http://shop.example/cb"),
        (&s.shop, "the port that https has anyway", "https://shop.example:443/cb"),
        (&s.shop, "an empty port", "https://shop.example:/cb"),
        (&s.shop, "another port", "https://shop.example:8443/cb"),
        (&s.shop, "a query", "https://shop.example/cb?x=1"),
        (&s.shop, "an empty query", "https://shop.example/cb?"),
        (&s.shop, "a code in the query", "https://shop.example/cb?code=x"),
        (&s.shop, "a fragment", "https://shop.example/cb#x"),
        (&s.shop, "an empty fragment", "https://shop.example/cb#"),
        (&s.shop, "a step back", "https://shop.example/x/../cb"),
        (&s.shop, "a step back behind it", "https://shop.example/cb/../cb"),
        (&s.shop, "a step back, encoded", "https://shop.example/cb/%2e%2e/cb"),
        (&s.shop, "a step on the spot", "https://shop.example/./cb"),
        (&s.shop, "two slashes", "https://shop.example//cb"),
        (&s.shop, "a letter, encoded", "https://shop.example/%63b"),
        (&s.shop, "the slash, encoded", "https://shop.example%2fcb"),
        (&s.shop, "all of it, encoded twice", "https%3A%2F%2Fshop.example%2Fcb"),
        (&s.shop, "a NUL, encoded", "https://shop.example/cb%00"),
        (&s.shop, "a NUL", "https://shop.example/cb\0"),
        (&s.shop, "a user", "https://user@shop.example/cb"),
        (&s.shop, "a user and a password", "https://user:pw@shop.example/cb"),
        (&s.shop, "the host as user", "https://shop.example@evil.example/cb"),
        (&s.shop, "the host as user and password", "https://shop.example:443@evil.example/cb"),
        (&s.shop, "a backslash before the at sign", "https://evil.example\\@shop.example/cb"),
        (&s.shop, "backslashes", "https:\\\\shop.example\\cb"),
        (&s.shop, "the host and more", "https://shop.example.evil.example/cb"),
        (&s.shop, "more and the host", "https://evil-shop.example/cb"),
        (&s.shop, "a part of the host", "https://x.shop.example/cb"),
        (&s.shop, "a dot behind the host", "https://shop.example./cb"),
        (&s.shop, "another host", "https://evil.example/cb"),
        (&s.shop, "it in another's path", "https://evil.example/https://shop.example/cb"),
        (&s.shop, "it in another's query", "https://evil.example/?https://shop.example/cb"),
        (&s.shop, "an umlaut", "https://shöp.example/cb"),
        (&s.shop, "punycode", "https://xn--shp-una.example/cb"),
        (&s.shop, "a Cyrillic letter", "https://sh\u{43e}p.example/cb"),
        (&s.shop, "a wide letter", "https://\u{ff53}hop.example/cb"),
        (&s.shop, "a wide dot", "https://shop\u{3002}example/cb"),
        (&s.shop, "a soft hyphen", "https://sh\u{ad}op.example/cb"),
        (&s.shop, "a mark that nobody sees", "https://shop.example/cb\u{200b}"),
        (&s.shop, "a blank before", " https://shop.example/cb"),
        (&s.shop, "a blank behind", "https://shop.example/cb "),
        (&s.shop, "a tab within", "https://shop.exa\tmple/cb"),
        (&s.shop, "a line break behind", "https://shop.example/cb\r\nset-cookie: a=b"),
        (&s.shop, "no scheme", "//shop.example/cb"),
        (&s.shop, "a path alone", "/cb"),
        (&s.shop, "no slashes", "https:shop.example/cb"),
        (&s.shop, "three slashes", "https:///shop.example/cb"),
        (&s.shop, "two addresses by a blank", "https://shop.example/cb https://evil.example/cb"),
        (&s.shop, "two addresses by a comma", "https://shop.example/cb,https://evil.example/cb"),
        (&s.shop, "a wildcard", "https://*.example/cb"),
        (&s.shop, "another client's", "https://wiki.example/cb"),
        (&s.shop, "our own", "http://localhost:5000/oauth/authorize"),
        (&s.shop, "the machine, of a web client", "http://localhost/cb"),
        (&s.shop, "the machine's number, of a web client", "http://127.0.0.1/cb"),
        (&s.shop, "a scheme of its own, of a web client", "com.example.shop:/cb"),
        (&s.shop, "out of band", "urn:ietf:wg:oauth:2.0:oob"),
        (&s.shop, "javascript", "javascript:alert(1)"),
        (&s.shop, "javascript that looks like it", "javascript://shop.example/cb%0aalert(1)"),
        (&s.shop, "data", "data:text/html,<script>alert(1)</script>"),
        (&s.shop, "a file", "file:///etc/passwd"),
        (&s.shop, "vbscript", "vbscript:x"),
        (&s.shop, "blob", "blob:https://shop.example/cb"),
        (&s.shop, "view-source", "view-source:https://shop.example/cb"),
        (&s.legacy, "localhost at another port, of a web client", "http://localhost:3001/cb"),
        (&s.legacy, "localhost without its port, of a web client", "http://localhost/cb"),
        (&s.legacy, "the number of localhost, of a web client", "http://127.0.0.1:3000/cb"),
        (&s.legacy, "a part of localhost", "http://x.localhost:3000/cb"),
        (&s.legacy, "https for http", "https://localhost:3000/cb"),
        (&s.spa, "localhost, of a browser's client", "http://localhost:3000/cb"),
        (&s.phone, "javascript, of a native client", "javascript:alert(1)"),
        (&s.phone, "its scheme with another path", "com.example.phone:/other"),
        (&s.phone, "its scheme with slashes", "com.example.phone://cb"),
        (&s.phone, "its scheme in upper case", "COM.EXAMPLE.PHONE:/cb"),
        (&s.phone, "a longer scheme", "com.example.phone.evil:/cb"),
        (&s.phone, "the machine at port 0", "http://127.0.0.1:0/cb"),
        (&s.phone, "at a port that is none", "http://127.0.0.1:65536/cb"),
        (&s.phone, "at an empty port", "http://127.0.0.1:/cb"),
        (&s.phone, "at a port with a zero before", "http://127.0.0.1:080/cb"),
        (&s.phone, "at a port that is a user", "http://127.0.0.1:80@evil.example/cb"),
        (&s.phone, "at a port that is a host", "http://127.0.0.1:80.evil.example/cb"),
        (&s.phone, "a host that begins like the machine", "http://127.0.0.1.evil.example/cb"),
        (&s.phone, "a host that begins like localhost", "http://localhost.evil.example:7000/cb?x=1"),
        (&s.phone, "another number of the machine", "http://127.0.0.2/cb"),
        (&s.phone, "a short number of the machine", "http://127.1/cb"),
        (&s.phone, "the machine as one number", "http://2130706433/cb"),
        (&s.phone, "the machine in hex", "http://0x7f.0.0.1/cb"),
        (&s.phone, "the long IPv6 of the machine", "http://[0:0:0:0:0:0:0:1]:9/cb"),
        (&s.phone, "any address", "http://0.0.0.0/cb"),
        (&s.phone, "the machine by https", "https://127.0.0.1/cb"),
        (&s.phone, "the machine with another path", "http://127.0.0.1:49152/cb/"),
        (&s.phone, "localhost without its query", "http://localhost:7000/cb"),
        (&s.phone, "localhost with another query", "http://localhost:7000/cb?x=2"),
        (&s.phone, "a port at an https address", "https://phone.example:8443/cb"),
    ] {
        let asking = client.ask("openid").with("redirect_uri", uri);
        let reply = visitor.get(&asking.path()).await;
        table.row(name, (reply.status, reply.says("This address is not known here")), (400, true));
        is_guarded(&reply);
    }
    table.close(100);
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn the_registered_ones_are_taken_and_a_port_is_free_for_native_programs() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let mut table = Table::default();
    for (client, uri, expected) in [
        (&s.shop, "https://shop.example/cb", "code"),
        (&s.legacy, "http://localhost:3000/cb", "code"),
        (&s.phone, "https://phone.example/cb", "code"),
        (&s.phone, "com.example.phone:/cb", "continue"),
        (&s.phone, "http://127.0.0.1/cb", "continue"),
        (&s.phone, "http://127.0.0.1:1/cb", "continue"),
        (&s.phone, "http://127.0.0.1:65535/cb", "continue"),
        (&s.phone, "http://[::1]/cb", "continue"),
        (&s.phone, "http://[::1]:49152/cb", "continue"),
        (&s.phone, "http://localhost/cb?x=1", "continue"),
        (&s.phone, "http://localhost:49152/cb?x=1", "continue"),
    ] {
        let asking = client.ask("openid").with("redirect_uri", uri);
        let page = visitor.get(&asking.path()).await;
        table.row(uri, outcome(&page, &asking), expected);
        let end = visitor.through(page).await;
        table.row(uri, outcome(&end, &asking), "code");
    }
    // Left out, it is the only one; twice, or one of several, nobody guesses.
    let shop = s.shop.ask("openid");
    let only = visitor.get(&shop.clone().with("redirect_uri", "").path()).await;
    table.row("left out, one registered", outcome(&only, &shop), "code");
    let several = s.phone.ask("openid").with("redirect_uri", "");
    table.row("left out, several registered", outcome(&visitor.get(&several.path()).await, &several), "page");
    for more in ["https://shop.example/cb", "https://evil.example/cb"] {
        let twice = format!("{}&{}", shop.path(), one("redirect_uri", more));
        table.row(format!("twice: {more}"), outcome(&visitor.get(&twice).await, &shop), "page");
    }
    table.close(26);
}

fn one(name: &str, value: &str) -> String {
    serde_urlencoded::to_string([(name, value)]).unwrap()
}

async fn put(
    table: &mut Table,
    visitor: &Visitor<'_>,
    client: &Member,
    rows: &[(&str, &str, &str)],
) {
    for (name, value, expected) in rows {
        let asking = client.ask("openid").with(name, value);
        let reply = visitor.get(&asking.path()).await;
        table.row(
            format!("{name}={value:.40}"),
            outcome(&reply, &asking),
            *expected,
        );
    }
}

#[tokio::test]
#[rustfmt::skip] // one line a case
#[expect(clippy::too_many_lines, reason = "a table")]
async fn every_parameter_is_what_it_must_be_or_the_client_is_told() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let mut table = Table::default();
    let (longest, too_long) = ("x".repeat(2048), "x".repeat(2049));
    put(&mut table, &visitor, &s.shop, &[
        ("state", "a state", "code"),
        ("state", "", "code"),
        ("state", "&=#%00\u{1f511}<script>", "code"),
        ("state", &longest, "code"),
        ("state", &too_long, "invalid_request"),
        ("nonce", "", "code"),
        ("nonce", &longest, "code"),
        ("nonce", &too_long, "invalid_request"),
        ("response_type", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "id_token", "unsupported_response_type"),
        ("response_type", "code token", "unsupported_response_type"),
        ("response_type", "code id_token", "unsupported_response_type"),
        ("response_type", "code id_token token", "unsupported_response_type"),
        ("response_type", "none", "unsupported_response_type"),
        ("response_type", "CODE", "unsupported_response_type"),
        ("response_type", " code", "unsupported_response_type"),
        ("response_type", "code code", "unsupported_response_type"),
        ("response_mode", "query", "code"),
        ("response_mode", "fragment", "invalid_request"),
        ("response_mode", "web_message", "invalid_request"),
        ("response_mode", "query.jwt", "invalid_request"),
        ("response_mode", "FORM_POST", "invalid_request"),
        ("request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported"),
        ("request_uri", "https://shop.example/request.jwt", "request_uri_not_supported"),
        ("request_uri", "urn:example:request", "request_uri_not_supported"),
        ("request_uri", "urn:ietf:params:oauth:request_uri:unknown", "page"),
        ("request_uri", "urn:ietf:params:oauth:request_uri:dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "page"),
        ("resource", "http://localhost:5001", "code"),
        ("resource", "http://localhost:5001/", "invalid_target"),
        ("resource", "http://localhost:5000", "invalid_target"),
        ("resource", "https://evil.example", "invalid_target"),
        ("scope", "", "invalid_scope"),
        ("scope", "unknown", "invalid_scope"),
        ("scope", "OPENID", "invalid_scope"),
        ("scope", "openid,email", "invalid_scope"),
        ("scope", "account", "invalid_scope"),
        ("scope", "openid unknown account", "code"),
        ("scope", " openid  openid ", "code"),
        ("scope", "email", "code"),
        ("prompt", "none", "code"),
        ("prompt", "login", "sign-in"),
        ("prompt", "consent", "consent"),
        ("prompt", "select_account", "continue"),
        ("prompt", "login consent", "sign-in"),
        ("prompt", "consent select_account", "consent"),
        ("prompt", "none login", "invalid_request"),
        ("prompt", "consent none", "invalid_request"),
        ("prompt", "none select_account", "invalid_request"),
        ("prompt", "none none", "code"),
        ("prompt", "NONE", "invalid_request"),
        ("prompt", "create", "invalid_request"),
        ("prompt", "login,consent", "invalid_request"),
        ("max_age", "0", "sign-in"),
        ("max_age", "10000", "code"),
        ("max_age", "-1", "invalid_request"),
        ("max_age", "+1", "invalid_request"),
        ("max_age", "1.5", "invalid_request"),
        ("max_age", "1e3", "invalid_request"),
        ("max_age", " 1", "invalid_request"),
        ("max_age", "an hour", "invalid_request"),
        ("max_age", "99999999999999999999", "invalid_request"),
        ("client_id", "", "page"),
        ("client_id", "nobody", "page"),
        ("client_id", "SHOP", "page"),
        ("client_id", "shop ", "page"),
        ("client_id", "wiki", "page"),
        ("client_id", "robot", "page"),
        ("client_id", "shop' OR 1=1 --", "page"),
        ("client_id", "shop\0", "page"),
        ("login_hint", "nobody@example.com", "code"),
        ("ui_locales", "xx", "code"),
        ("acr_values", "urn:example:gold", "code"),
        ("display", "popup", "code"),
        ("claims", r#"{"id_token":{"email":{"essential":true}}}"#, "code"),
        ("claims", "not JSON", "code"),
        ("registration", "{}", "code"),
        ("since", "x", "code"),
        ("agreed", "x", "code"),
        ("denied", "x", "code"),
        ("never heard of", "x", "code"),
    ])
    .await;
    let stranger = s.app.visitor();
    put(&mut table, &stranger, &s.shop, &[
        ("prompt", "none", "login_required"),
        ("prompt", "consent", "sign-in"),
        ("prompt", "select_account", "sign-in"),
        ("max_age", "10000", "sign-in"),
        ("agreed", "x", "sign-in"),
        ("denied", "x", "sign-in"),
    ])
    .await;
    put(&mut table, &visitor, &s.forum, &[
        ("prompt", "none", "consent_required"),
        ("prompt", "login", "sign-in"),
        ("prompt", "consent", "consent"),
        ("agreed", "x", "consent"),
    ])
    .await;
    put(&mut table, &visitor, &s.phone, &[
        ("prompt", "none", "interaction_required"),
        ("prompt", "consent", "consent"),
        ("agreed", "x", "continue"),
    ])
    .await;
    table.close(90);
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_parameter_that_comes_twice_is_refused_even_if_it_says_the_same() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let mut table = Table::default();
    for (name, value, expected) in [
        ("client_id", "shop", "page"),
        ("redirect_uri", "https://shop.example/cb", "page"),
        ("response_type", "code", "invalid_request"),
        ("response_mode", "query", "invalid_request"),
        ("scope", "openid", "invalid_request"),
        ("nonce", "a nonce", "invalid_request"),
        ("code_challenge", "x", "invalid_request"),
        ("code_challenge_method", "S256", "invalid_request"),
        ("prompt", "none", "invalid_request"),
        ("max_age", "10000", "invalid_request"),
        ("login_hint", "x", "invalid_request"),
        ("ui_locales", "en", "invalid_request"),
        ("id_token_hint", "x", "invalid_request"),
        ("acr_values", "1", "invalid_request"),
        ("request", "x", "invalid_request"),
        // RFC 8707 §2: there may be several resources. What we do not know, we do not read.
        ("resource", "http://localhost:5001", "code"),
        ("display", "page", "code"),
        ("made up", "x", "code"),
    ] {
        let asking = s.shop.ask("openid").with(name, value);
        let path = format!("{}&{}", asking.path(), one(name, value));
        table.row(name, outcome(&visitor.get(&path).await, &asking), expected);
        // Without a value it counts as left out (RFC 6749 §3.1).
        let path = format!("{}&{}", s.shop.ask("openid").path(), one(name, ""));
        table.row(format!("{name}, empty"), outcome(&visitor.get(&path).await, &s.shop.ask("openid")), "code");
    }
    let two = s.shop.ask("openid").with("resource", "http://localhost:5001");
    let path = format!("{}&resource=https%3A%2F%2Fevil.example", two.path());
    table.row("one resource of two", outcome(&visitor.get(&path).await, &two), "invalid_target");
    // Which of two states is meant, nobody knows: none comes back.
    let state = format!("{}&state=another", s.shop.ask("openid").path());
    let none: Asking = s.shop.ask("openid").with("state", "");
    table.row("state", outcome(&visitor.get(&state).await, &none), "invalid_request");
    table.close(38);
}
