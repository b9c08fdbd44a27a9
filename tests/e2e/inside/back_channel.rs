//! Who is told of a log-out (OIDC Back-Channel Logout 1.0): every program below the browser, whatever ended it, once.

use auth_server::clients::ClientKind::Web;
use e2e::{App, Cli, Member, Options, Receiver, Tokens, User, Visitor, member};
use reqwest::Method;
use serde_json::json;

use super::sign_on_cast::{claims, sid};

/// Services with two programs that hear of log-outs, and one that does not.
pub(super) struct Hall {
    pub(super) app: App,
    pub(super) shop: Member,
    pub(super) wiki: Member,
    pub(super) deaf: Member,
    /// Its users are asked.
    pub(super) asking: Member,
    pub(super) at_shop: Receiver,
    pub(super) at_wiki: Receiver,
}

/// A user who is signed in to the programs of the hall.
pub(super) struct Guest<'a> {
    pub(super) user: User,
    pub(super) visitor: Visitor<'a>,
    pub(super) shop: Tokens,
    pub(super) wiki: Tokens,
    pub(super) deaf: Tokens,
}

impl Guest<'_> {
    /// What the programs know the browser's session by.
    pub(super) fn sid(&self) -> String {
        claims(self.shop.text("id_token"))["sid"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn sub(&self) -> String {
        claims(self.shop.access())["sub"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

impl Hall {
    pub(super) async fn open(options: Options) -> Self {
        let (at_shop, at_wiki) = (Receiver::open().await, Receiver::open().await);
        let program = |id: &str, uri: Option<String>| {
            member(id, Web).with(|it| {
                (it.trusted, it.api) = (true, true);
                it.logout_uris = vec![format!("https://{id}.example/bye")];
                it.backchannel_uri = uri;
            })
        };
        let shop = program("shop", Some(at_shop.uri.clone()));
        let wiki = program("wiki", Some(at_wiki.uri.clone())).with(|it| {
            it.id_token_alg = "ES256".into();
        });
        let deaf = program("deaf", None);
        let asking = program("asking", None).with(|it| it.trusted = false);
        let members = [shop.clone(), wiki.clone(), deaf.clone(), asking.clone()];
        let app = App::signing_on(options.with_feed(), &members).await;
        Self {
            app,
            shop,
            wiki,
            deaf,
            asking,
            at_shop,
            at_wiki,
        }
    }

    /// Somebody new, signed in to everything in one browser.
    pub(super) async fn guest(&self) -> Guest<'_> {
        let user = self.app.register().await;
        self.again(user).await
    }

    /// The same user in another browser.
    pub(super) async fn again(&self, user: User) -> Guest<'_> {
        let asking = self.shop.ask("openid");
        let (visitor, entered) = self.app.signed_in(&user, &asking).await;
        let code = visitor.code(entered, &self.shop).await;
        let shop = self.app.exchange(&self.shop, &code, &asking).await.tokens();
        let wiki = self.tokens(&visitor, &self.wiki, "openid").await;
        let deaf = self.tokens(&visitor, &self.deaf, "openid").await;
        Guest {
            user,
            visitor,
            shop,
            wiki,
            deaf,
        }
    }

    pub(super) async fn tokens(
        &self,
        visitor: &Visitor<'_>,
        client: &Member,
        scope: &str,
    ) -> Tokens {
        let asking = client.ask(scope);
        let code = visitor
            .code(visitor.get(&asking.path()).await, client)
            .await;
        self.app.exchange(client, &code, &asking).await.tokens()
    }

    pub(super) fn cli(&self) -> Cli {
        Cli::new(self.app.folder(), self.app.database().url())
    }

    /// Asserts that both receivers got exactly this one for the guest, and that no token of his opens anything.
    async fn all_heard(&self, guest: &Guest<'_>, way: &str) {
        for (receiver, client) in [(&self.at_shop, &self.shop), (&self.at_wiki, &self.wiki)] {
            receiver.settled(&self.app).await;
            let mut heard = 0;
            for token in receiver.got() {
                let claims = self.app.claims_of_logout_token(&token, client.id()).await;
                if claims["sub"] == guest.sub().as_str() {
                    assert_eq!(claims["sid"], guest.sid().as_str(), "{way}");
                    heard += 1;
                }
            }
            assert_eq!(heard, 1, "{way}: {} heard of it", client.id());
        }
        for (client, tokens) in [
            (&self.shop, &guest.shop),
            (&self.wiki, &guest.wiki),
            (&self.deaf, &guest.deaf),
        ] {
            let refused = self.app.refresh_as(client, tokens.refresh()).await.error();
            assert_eq!(refused.0, 400, "{way}: {}", client.id());
            let sid = sid(tokens);
            assert_eq!(
                self.app.database().records(&sid, "session_ended"),
                1,
                "{way}"
            );
        }
        let told = self
            .app
            .database()
            .records(&guest.sid(), "log_out_delivered");
        assert_eq!(told, 2, "{way}");
    }
}

#[tokio::test]
async fn every_way_to_end_a_session_tells_the_programs_below_it() {
    let hall = Hall::open(Options::new().auth("max-sessions-per-user", "2")).await;
    let (app, cli) = (&hall.app, hall.cli());
    let account = format!("{}/api/account", app.auth_url);
    for way in [
        "page",
        "asked",
        "list",
        "all",
        "password",
        "deletion",
        "limit",
        "reset",
        "block",
        "revoke",
        "revoke --user",
        "user delete",
        "another user's log-in",
    ] {
        let guest = hall.guest().await;
        let (email, password) = (guest.user.email.as_str(), guest.user.password.as_str());
        let send = async |method: Method, path: &str, body: serde_json::Value| {
            let pair = app.log_in(&guest.user).await;
            let request = app.client.request(method, format!("{account}{path}"));
            let answer = request
                .bearer_auth(&pair.access_token)
                .json(&body)
                .send()
                .await;
            let status = answer.unwrap().status().as_u16();
            assert!((200..300).contains(&status), "{way}: {status}");
        };
        match way {
            "page" => {
                let hint = guest.shop.text("id_token");
                let path = format!("/oauth/logout?id_token_hint={hint}");
                assert!(guest.visitor.get(&path).await.is(200).says("signed out"));
            }
            "asked" => {
                let page = guest.visitor.get("/oauth/logout").await.is(200);
                guest
                    .visitor
                    .submit(&page, &[("decision", "allow")])
                    .await
                    .is(200);
            }
            "list" => {
                send(
                    Method::DELETE,
                    &format!("/sessions/{}", guest.sid()),
                    json!({}),
                )
                .await;
            }
            "all" => send(Method::DELETE, "/sessions", json!({})).await,
            "password" => {
                let body =
                    json!({"currentPassword": password, "newPassword": "another long passphrase"});
                send(Method::POST, "/password", body).await;
            }
            "deletion" => {
                send(
                    Method::POST,
                    "/deletion",
                    json!({"currentPassword": password}),
                )
                .await;
            }
            "limit" => {
                app.database().set(&guest.sid(), "rotated_at = 1");
                for _ in 0..2 {
                    app.log_in(&guest.user).await;
                }
            }
            "reset" => {
                let words = ["user", "set-password", email];
                let ran = cli.run_with(&words, "another long passphrase\n");
                assert!(ran.ok, "{ran:?}");
            }
            "block" => drop(cli.finish(&["user", "block", email]).await),
            "revoke" => drop(cli.finish(&["sessions", "revoke", &guest.sid()]).await),
            "revoke --user" => drop(cli.finish(&["sessions", "revoke", "--user", email]).await),
            "user delete" => drop(cli.finish(&["user", "delete", email]).await),
            _ => {
                let other = app.register().await;
                let asking = hall.shop.ask("openid").with("prompt", "login");
                let page = guest.visitor.get(&asking.path()).await.is(200);
                let entered = guest.visitor.enter(&page, &other).await;
                assert!(entered.says("You are signed in"), "{entered:?}");
            }
        }
        hall.all_heard(&guest, way).await;
    }
}
