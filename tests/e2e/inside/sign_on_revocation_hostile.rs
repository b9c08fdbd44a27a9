//! Every token at `/oauth/revoke` in the hands of everybody: who may not end a session ends none, and after each try every
//! row is what it was.

use auth_server::clients::{ClientKind, Definition};
use e2e::Member;
use reqwest::Method;

use super::sign_on_cast::{Stage, Table, send};
use super::sign_on_holdings::{FORM, everything};

#[tokio::test]
async fn nobody_ends_what_is_not_his() {
    let s = Stage::open().await;
    let all = everything(&s).await;
    let rows = s.rows();
    let mut table = Table::default();
    for asker in [
        &s.wiki, &s.forum, &s.legacy, &s.manager, &s.robot, &s.clerk, &s.spa, &s.phone,
    ] {
        for held in all.iter().filter(|it| it.owner != Some(asker.id())) {
            let fields = [("token", held.token.as_str())];
            let reply = s.app.ask_as(asker, "/oauth/revoke", &fields).await;
            let name = format!("{} of {:?} before {}", held.name, held.owner, asker.id());
            let said = match reply.status {
                200 => (200, String::new(), reply.body.clone()),
                _ => reply.error(),
            };
            let theirs = (
                400,
                "invalid_grant".to_owned(),
                "invalid_refresh_token".to_owned(),
            );
            let fine = said == theirs || said == (200, String::new(), String::new());
            // Of what lives, its owner alone is told that it is well.
            let lives = held.owner.is_some();
            table.row(&name, (fine, !lives || said == theirs), (true, true));
            assert_eq!(s.rows(), rows, "{name}: a row changed");
        }
    }
    // Nor does its own client end anything by what is none of its tokens.
    for held in all.iter().filter(|it| {
        let of_others = [
            "a refresh token with another nonce",
            "a code",
            "a cookie",
            "an id_token",
            "a device token",
        ];
        of_others.contains(&it.name) || it.name.starts_with("the account's")
    }) {
        let fields = [("token", held.token.as_str())];
        let reply = s.app.ask_as(&s.shop, "/oauth/revoke", &fields).await;
        let expected = if held.name == "the account's access token" {
            400
        } else {
            200
        };
        table.row(held.name, reply.status, expected);
        assert_eq!(s.rows(), rows, "{}: a row changed", held.name);
    }
    table.close(300);
}

#[tokio::test]
async fn whoever_is_not_known_ends_nothing() {
    let s = Stage::open().await;
    let all = everything(&s).await;
    let robot = s.service().await;
    let wrong = |member: &Member| Member {
        secret: Some("wrong".into()),
        ..member.clone()
    };
    let without = |member: &Member| Member {
        secret: None,
        ..member.clone()
    };
    let nobody = Member {
        secret: None,
        definition: Definition::new("nobody", ClientKind::Web),
    };
    let rows = s.rows();
    let mut table = Table::default();
    for held in all.iter().filter(|it| it.owner.is_some()) {
        for (name, asker) in [
            ("a wrong secret", wrong(&s.shop)),
            ("no secret", without(&s.shop)),
            ("a service without its secret", without(&s.robot)),
            ("a public client with a secret", wrong(&s.spa)),
            ("nobody", nobody.clone()),
        ] {
            let fields = [("token", held.token.as_str())];
            let reply = s.app.ask_as(&asker, "/oauth/revoke", &fields).await;
            table.row(name, reply.error().1, "invalid_client");
            assert_eq!(s.rows(), rows, "{name}: a row changed");
        }
        // A service's access token opens introspection, and no other door.
        for path in ["/oauth/revoke", "/oauth/token", "/oauth/par"] {
            let bearer = format!("Bearer {}", robot.access());
            let body = serde_urlencoded::to_string([("token", held.token.as_str())]).unwrap();
            let headers = [FORM, ("authorization", bearer.as_str())];
            let reply = send(s.request(Method::POST, path, &headers).body(body)).await;
            table.row(path, reply.error().1, "invalid_client");
            assert_eq!(s.rows(), rows, "{path}: a row changed");
        }
    }
    table.close(100);
}
