//! What ties a request to its own answer: PKCE from both ends, and hints of who is meant.

use e2e::{Asking, Member, challenge};

use super::sign_on_cast::{Stage, Table, claims, outcome};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_request_has_the_challenge_that_its_client_must_have() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let mut table = Table::default();
    let good = challenge(VERIFIER);
    let [short, long] = [&good[..42], &format!("{good}A")[..]];
    let ask = |client: &Member, method: &str, challenge: &str| client.ask("openid")
        .with("code_challenge_method", method).with("code_challenge", challenge);
    for (name, asking, expected) in [
        ("as it should be", ask(&s.shop, "S256", &good), "code"),
        ("no challenge", ask(&s.shop, "", ""), "invalid_request"),
        ("no challenge, of a browser's client", ask(&s.spa, "", ""), "invalid_request"),
        ("a method alone", ask(&s.shop, "S256", ""), "invalid_request"),
        ("no method, which means plain", ask(&s.shop, "", &good), "invalid_request"),
        ("plain", ask(&s.shop, "plain", VERIFIER), "invalid_request"),
        ("plain, of a client that need not", ask(&s.legacy, "plain", VERIFIER), "invalid_request"),
        ("another hash", ask(&s.shop, "S512", &good), "invalid_request"),
        ("small letters", ask(&s.shop, "s256", &good), "invalid_request"),
        ("42 characters", ask(&s.shop, "S256", short), "invalid_request"),
        ("44 characters", ask(&s.shop, "S256", long), "invalid_request"),
        ("padded", ask(&s.shop, "S256", &format!("{good}=")), "invalid_request"),
        ("the other alphabet", ask(&s.shop, "S256", &format!("+/{}", &good[2..])), "invalid_request"),
        ("a dot, which a verifier may have", ask(&s.shop, "S256", &format!(".{}", &good[1..])), "invalid_request"),
        ("a blank", ask(&s.shop, "S256", &format!(" {}", &good[1..])), "invalid_request"),
        ("no ASCII", ask(&s.shop, "S256", &format!("é{}", &good[2..])), "invalid_request"),
        ("none, of a client that need not", ask(&s.legacy, "", ""), "code"),
        ("of a client that need not", ask(&s.legacy, "S256", &good), "code"),
        ("a method alone, of a client that need not", ask(&s.legacy, "S256", ""), "invalid_request"),
    ] {
        let reply = visitor.get(&asking.path()).await;
        table.row(name, outcome(&reply, &asking), expected);
    }
    table.close(19);
}

/// A request with the challenge of this verifier.
fn of(client: &Member, verifier: &str) -> Asking {
    client
        .ask("openid")
        .with("code_challenge", &challenge(verifier))
}

/// A request of a client that need not, without a challenge.
fn bare(client: &Member) -> Asking {
    client
        .ask("openid")
        .with("code_challenge", "")
        .with("code_challenge_method", "")
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_code_is_given_for_the_verifier_of_its_challenge_alone_and_a_wrong_one_spends_it() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let mut table = Table::default();
    let (short, long, longest) = ("a".repeat(42), "a".repeat(129), "a".repeat(128));
    let good = challenge(VERIFIER);
    let (shop, legacy, spa) = (&s.shop, &s.legacy, &s.spa);
    let uri = shop.redirect_uri();
    for (name, client, asking, verifier, redirect, expected) in [
        ("as it should be", shop, of(shop, VERIFIER), VERIFIER, uri, "ok"),
        ("of a browser's client", spa, of(spa, VERIFIER), VERIFIER, "", "ok"),
        ("the longest", shop, of(shop, &longest), &longest, "", "ok"),
        ("of a client that need not", legacy, of(legacy, VERIFIER), VERIFIER, "", "ok"),
        ("none, of a client that need not", legacy, bare(legacy), "", "", "ok"),
        ("missing", shop, of(shop, VERIFIER), "", uri, "invalid_grant"),
        ("missing, of a browser's client", spa, of(spa, VERIFIER), "", "", "invalid_grant"),
        ("missing, of a client that need not", legacy, of(legacy, VERIFIER), "", "", "invalid_grant"),
        ("one without a challenge: taken out on the way", legacy, bare(legacy), VERIFIER, "", "invalid_grant"),
        ("another's", shop, of(shop, VERIFIER), &longest, uri, "invalid_grant"),
        ("the challenge itself", shop, of(shop, VERIFIER), &good, uri, "invalid_grant"),
        ("in small letters", shop, of(shop, VERIFIER), &VERIFIER.to_lowercase(), uri, "invalid_grant"),
        ("with more behind", shop, of(shop, VERIFIER), &format!("{VERIFIER}x"), uri, "invalid_grant"),
        ("with a blank behind", shop, of(shop, VERIFIER), &format!("{VERIFIER} "), uri, "invalid_grant"),
        ("42 characters", shop, of(shop, &short), &short, uri, "invalid_grant"),
        ("129 characters", shop, of(shop, &long), &long, uri, "invalid_grant"),
        ("characters that none has", shop, of(shop, &format!("{VERIFIER}+/")), &format!("{VERIFIER}+/"), uri, "invalid_grant"),
        ("another redirect URI", shop, of(shop, VERIFIER), VERIFIER, "https://shop.example/cb/", "invalid_grant"),
        ("another client's redirect URI", shop, of(shop, VERIFIER), VERIFIER, "https://wiki.example/cb", "invalid_grant"),
    ] {
        let code = s.code(&visitor, client, &asking).await;
        let asking = Asking { verifier: verifier.to_owned(), ..asking }.with("redirect_uri", redirect);
        let mut got = s.app.exchange(client, &code, &asking).await;
        if expected == "ok" {
            table.row(name, got.status, 200);
            continue;
        }
        table.row(name, got.error(), (400, expected.into(), "invalid_code".into()));
        // With the right one it is too late: nobody tries them all.
        let right = if name.starts_with("one without") { "" } else { VERIFIER };
        let again = Asking { verifier: right.to_owned(), ..asking }.with("redirect_uri", "");
        got = s.app.exchange(client, &code, &again).await;
        table.row(format!("{name}, then the right one"), got.error(), (400, expected.into(), "invalid_code".into()));
    }
    assert_eq!(s.count("sessions", "generation = 0 AND ended_at IS NULL"), 0, "none waits");
    table.close(33);
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_code_put_into_another_s_answer_is_worth_nothing_there() {
    let s = Stage::open().await;
    let (thief, victim) = (s.browser().await, s.browser().await);
    // The victim's client has its own verifier; the thief's code, or the victim's at the thief's client, does not fit.
    let (his, hers) = (s.shop.ask("openid"), s.shop.ask("openid"));
    let stolen = s.code(&victim, &s.shop, &hers).await;
    let other = s.code(&thief, &s.shop, &his).await;
    let mut table = Table::default();
    table.row("her code, his verifier", s.app.exchange(&s.shop, &stolen, &his).await.error().1, "invalid_grant");
    table.row("his code, her verifier", s.app.exchange(&s.shop, &other, &hers).await.error().1, "invalid_grant");
    // Mix-up: the code of one client brought to another, whose redirect URI and id the attacker cannot change.
    let asking = s.shop.ask("openid");
    let code = s.code(&victim, &s.shop, &asking).await;
    for other in [&s.wiki, &s.spa, &s.legacy, &s.forum] {
        table.row(other.id(), s.app.exchange(other, &code, &asking).await.error().1, "invalid_grant");
    }
    table.row("its own, after all of that", s.app.exchange(&s.shop, &code, &asking).await.status, 200);
    table.close(7);
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_hint_is_an_id_token_of_this_client_and_its_user_is_the_one_or_none_is() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let tokens = s.tokens(&visitor, &s.shop, "openid").await;
    let wiki = s.tokens(&visitor, &s.wiki, "openid").await;
    let pair = s.app.log_in(&s.user).await;
    let other = s.app.register().await;
    let theirs = s.app.tokens_of(&other, &s.shop, "openid").await;
    let own = tokens.text("id_token");
    let (rest, signature) = own.rsplit_once('.').unwrap();
    let (head, payload) = rest.split_once('.').unwrap();
    let (_, payload_of_another) = theirs.text("id_token").rsplit_once('.').unwrap().0.split_once('.').unwrap();
    let forged = s.app.forge().draft(&claims(own)).sign();
    let unsigned = s.app.forge().draft(&claims(own)).head("alg", serde_json::json!("none")).unsigned() + ".";
    let stranger = s.app.visitor();
    let mut table = Table::default();
    for (name, hint, signed_in, nobody) in [
        ("its own", own, "code", "login_required"),
        ("another user's", theirs.text("id_token"), "login_required", "login_required"),
        ("another client's", wiki.text("id_token"), "invalid_request", "invalid_request"),
        ("signed with our other ring", &forged, "invalid_request", "invalid_request"),
        ("not signed", &unsigned, "invalid_request", "invalid_request"),
        ("without its signature", &format!("{rest}."), "invalid_request", "invalid_request"),
        ("with another's signature", &format!("{rest}.{}", wiki.text("id_token").rsplit_once('.').unwrap().1), "invalid_request", "invalid_request"),
        ("with another's payload", &format!("{head}.{payload_of_another}.{signature}"), "invalid_request", "invalid_request"),
        ("with a part more", &format!("{own}.{payload}"), "invalid_request", "invalid_request"),
        ("an access token", tokens.access(), "invalid_request", "invalid_request"),
        ("a refresh token", tokens.refresh(), "invalid_request", "invalid_request"),
        ("an account's access token", &pair.access_token, "invalid_request", "invalid_request"),
        ("the user's id", &s.user.id, "invalid_request", "invalid_request"),
        ("garbage", "x", "invalid_request", "invalid_request"),
    ] {
        let silent = s.shop.ask("openid").with("id_token_hint", hint).with("prompt", "none");
        table.row(name, outcome(&visitor.get(&silent.path()).await, &silent), signed_in);
        table.row(format!("{name}, nobody signed in"), outcome(&stranger.get(&silent.path()).await, &silent), nobody);
        let shown = silent.with("prompt", "");
        let word = |silent: &str| if silent == "login_required" { "sign-in".to_owned() } else { silent.to_owned() };
        table.row(format!("{name}, shown"), outcome(&visitor.get(&shown.path()).await, &shown), word(signed_in));
        table.row(format!("{name}, shown to nobody"), outcome(&stranger.get(&shown.path()).await, &shown), word(nobody));
    }
    table.close(56);
}

#[tokio::test]
async fn somebody_else_than_the_hinted_user_signs_in_and_the_client_gets_no_code() {
    let s = Stage::open().await;
    let other = s.app.register().await;
    let theirs = s.app.tokens_of(&other, &s.shop, "openid").await;
    let asking = s
        .shop
        .ask("openid")
        .with("id_token_hint", theirs.text("id_token"));
    // As the user who is signed in already, then as the one who is meant.
    for (user, expected) in [(&s.user, "login_required"), (&other, "code")] {
        let visitor = s.browser().await;
        let page = visitor.get(&asking.path()).await;
        assert_eq!(outcome(&page, &asking), "sign-in");
        let end = visitor.go_on(&visitor.enter(&page, user).await).await;
        assert_eq!(outcome(&end, &asking), expected, "{}", user.name);
    }
}
