//! The whole way of sign-on: page, code, tokens, refresh, userinfo.

use auth_server::clients::ClientKind;
use e2e::{App, ISSUER, Options, member};
use serde_json::Value;

#[tokio::test]
async fn a_program_signs_its_user_in_by_page_code_and_token() {
    let shop = member("shop", ClientKind::Web);
    let app = App::signing_on(Options::new(), std::slice::from_ref(&shop)).await;
    let user = app.register().await;
    let asking = shop.ask("openid profile email offline_access");
    let visitor = app.visitor();

    let page = visitor.get(&asking.path()).await.is(200);
    assert!(
        page.says("<h1>Sign in</h1>") && page.says("shop"),
        "{page:?}"
    );
    let entered = visitor.enter(&page, &user).await.is(200);
    assert!(entered.says("You are signed in"), "{entered:?}");
    let consent = visitor.go_on(&entered).await.is(200);
    assert!(
        consent.says(&user.email) && consent.says("shop.example"),
        "{consent:?}"
    );
    let agreed = visitor.submit(&consent, &[("decision", "allow")]).await;
    let end = visitor.go_on(&agreed).await;
    let answer = end.redirected_to(shop.redirect_uri());
    assert_eq!(answer["state"], "a state");
    assert_eq!(answer["iss"], ISSUER);

    let tokens = app.exchange(&shop, &answer["code"], &asking).await.tokens();
    assert_eq!(tokens.text("token_type"), "Bearer");
    assert_eq!(tokens.text("scope"), "openid profile email offline_access");
    let id = app.claims_of_id_token(tokens.text("id_token")).await;
    assert_eq!(id["iss"], ISSUER);
    assert_eq!(id["aud"], "shop");
    assert_eq!(id["sub"], user.id.as_str());
    assert_eq!(id["nonce"], "a nonce");
    assert_eq!(id["email"], user.email.as_str());
    assert_eq!(id["name"], user.name.as_str());
    assert_eq!(id["amr"], serde_json::json!(["pwd"]));
    assert!(id["roles"].is_null());

    let info = app.userinfo(tokens.access()).await.is(200).json();
    assert_eq!(info["sub"], user.id.as_str());
    assert_eq!(info["email"], user.email.as_str());

    let next = app.refresh_as(&shop, tokens.refresh()).await.tokens();
    assert_ne!(next.refresh(), tokens.refresh());
    let again = app.claims_of_id_token(next.text("id_token")).await;
    assert_eq!(again["sub"], id["sub"]);
    assert_eq!(again["auth_time"], id["auth_time"]);
    assert_eq!(again["nonce"], Value::Null, "OIDC Core §12.2");
}

#[tokio::test]
async fn one_log_in_serves_many_programs() {
    let clients = [
        member("mail", ClientKind::Browser).with(|it| it.trusted = true),
        member("wiki", ClientKind::Web).with(|it| it.trusted = true),
    ];
    let app = App::signing_on(Options::new(), &clients).await;
    let user = app.register().await;
    let [mail, wiki] = &clients;
    let asking = mail.ask("openid");
    let (visitor, entered) = app.signed_in(&user, &asking).await;
    let code = visitor.code(entered, mail).await;
    let first = app.exchange(mail, &code, &asking).await.tokens();
    // No page at all.
    let asking = wiki.ask("openid");
    let answer = visitor.get(&asking.path()).await;
    let code = answer.redirected_to(wiki.redirect_uri())["code"].clone();
    let second = app.exchange(wiki, &code, &asking).await.tokens();
    let ids = [
        app.claims_of_id_token(first.text("id_token")).await,
        app.claims_of_id_token(second.text("id_token")).await,
    ];
    assert_eq!(ids[0]["sub"], ids[1]["sub"]);
    assert_eq!(ids[0]["sid"], ids[1]["sid"], "one browser");
}
