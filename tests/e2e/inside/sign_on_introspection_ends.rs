//! What is over is told of to nobody, at once and at every server; and a database that is gone tells nothing.

use e2e::{Cli, Options};

use super::sign_on_cast::{Stage, Table, sid};
use super::sign_on_holdings::is_active;

#[tokio::test]
async fn what_has_ended_is_inactive_at_once_at_every_server() {
    let s = Stage::open().await;
    let other = s.app.replica(&Options::new().auth("oauth", "on")).await;
    let visitor = s.browser().await;
    let account = s.app.log_in(&s.user).await;
    let robot = s.service().await;
    let db = s.app.database();
    let cli = Cli::new(s.app.folder(), db.url());
    let past = shared::clock::now() - 10;
    let mut table = Table::default();
    for (name, scope) in [
        ("revoked", "openid"),
        ("ended in the list", "openid"),
        ("taken away", "openid"),
        ("idle", "openid"),
        ("absolute", "openid"),
        ("by an operator", "openid offline_access"),
        ("password changed", "openid offline_access"),
    ] {
        let tokens = s.tokens(&visitor, &s.shop, scope).await;
        let looks = [
            (&s.robot, tokens.access()),
            (&s.shop, tokens.access()),
            (&s.shop, tokens.refresh()),
        ];
        for (client, token) in looks {
            table.row(
                format!("{name}, before"),
                is_active(&s.introspect(client, token).await),
                true,
            );
        }
        let (id, access) = (sid(&tokens), account.access_token.as_str());
        match name {
            "revoked" => {
                let fields = [("token", tokens.refresh())];
                s.app
                    .ask_as(&s.shop, "/oauth/revoke", &fields)
                    .await
                    .is(200);
            }
            "ended in the list" => drop(
                s.app
                    .delete(&format!("/sessions/{id}"), access)
                    .await
                    .is(204),
            ),
            "taken away" => drop(s.app.delete("/apps/shop", access).await.is(204)),
            "idle" => db.set(&id, &format!("idle_until = {past}")),
            "absolute" => db.set(&id, &format!("absolute_until = {past}")),
            "by an operator" => drop(cli.finish(&["sessions", "revoke", &id]).await),
            _ => drop(
                s.app
                    .try_change_password(access, &s.user.password, "another long password")
                    .await
                    .is(200),
            ),
        }
        for (client, token) in looks {
            for app in [&s.app, &other] {
                let reply = app
                    .ask_as(client, "/oauth/introspect", &[("token", token)])
                    .await;
                table.row(format!("{name}, after"), is_active(&reply), false);
            }
        }
    }
    // The account's own went with its password, and a service's with its revocation.
    table.row(
        "account",
        is_active(&s.introspect(&s.robot, &account.access_token).await),
        false,
    );
    let fields = [("token", robot.access())];
    table.row(
        "robot",
        is_active(&s.introspect(&s.robot, robot.access()).await),
        true,
    );
    s.app
        .ask_as(&s.robot, "/oauth/revoke", &fields)
        .await
        .is(200);
    table.row(
        "robot, revoked",
        is_active(&s.introspect(&s.robot, robot.access()).await),
        false,
    );
    let refused = s.introspect_by(robot.access(), "x").await;
    table.row(
        "the robot's own token, revoked",
        refused.error(),
        (401, "invalid_token".to_owned(), "invalid_token".to_owned()),
    );
    table.close(60);
    drop(other);
}

#[tokio::test]
async fn who_is_blocked_is_neither_told_nor_told_of() {
    let mut s = Stage::open().await;
    let visitor = s.browser().await;
    let shop = s.tokens(&visitor, &s.shop, "openid").await;
    let robot = s.service().await;
    let account = s.app.log_in(&s.user).await;
    drop(visitor);
    // By the row of the client alone, as if its sessions had been forgotten.
    s.with_clients("blocked_at = 1", "shop").await;
    assert!(!is_active(&s.introspect(&s.robot, shop.access()).await));
    s.introspect(&s.shop, shop.access()).await.is(401);
    s.with_clients("blocked_at = 1", "robot").await;
    s.introspect(&s.robot, shop.access()).await.is(401);
    s.introspect_by(robot.access(), shop.access()).await.is(401);
    s.with_clients("blocked_at = NULL", "robot").await;
    // A blocked user has no session.
    assert!(is_active(
        &s.introspect(&s.robot, &account.access_token).await
    ));
    let cli = Cli::new(s.app.folder(), s.app.database().url());
    cli.finish(&["user", "block", &s.user.email]).await;
    assert!(!is_active(
        &s.introspect(&s.robot, &account.access_token).await
    ));
}

#[tokio::test]
async fn a_database_that_is_gone_says_nothing_of_a_token() {
    let s = Stage::open().await;
    let robot = s.service().await;
    s.app
        .database()
        .script("ALTER TABLE sessions RENAME TO elsewhere");
    for token in [robot.access(), "x"] {
        let reply = s.introspect(&s.robot, token).await;
        // By what the database says of it; of a token or of none, the same.
        let told = (reply.status, reply.error().1);
        let unavailable = (503, "temporarily_unavailable".to_owned());
        assert!(
            [unavailable, (500, "server_error".to_owned())].contains(&told),
            "{reply:?}"
        );
        assert_eq!(reply.header("retry-after").is_empty(), reply.status == 500);
    }
    s.app
        .database()
        .script("ALTER TABLE elsewhere RENAME TO sessions");
    assert!(is_active(&s.introspect(&s.robot, robot.access()).await));
}
