//! Sign-on where several servers share the work: what one has begun, another ends; and what an operator does reaches
//! all of them, and the APIs.

use std::time::{Duration, Instant};

use auth_server::clients::ClientKind;
use e2e::{App, Cli, Member, Options, User, Visitor, member};

fn shop() -> Member {
    member("shop", ClientKind::Browser).with(|it| {
        it.trusted = true;
        it.api = true;
    })
}

fn options() -> Options {
    Options::new().with_feed()
}

/// A visitor of another server who has this one's cookies.
fn moved<'a>(from: &Visitor<'_>, to: &'a App) -> Visitor<'a> {
    let visitor = to.visitor();
    *visitor.cookies.lock().unwrap() = from.cookies.lock().unwrap().clone();
    visitor
}

/// Asks until the answer is as expected; within the second that is promised, and one more for a busy machine.
async fn within_a_second<F: Future<Output = bool>>(mut asked: impl FnMut() -> F) {
    let patience = Instant::now() + Duration::from_secs(2);
    while !asked().await {
        assert!(Instant::now() < patience, "not within a second");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_step_may_be_taken_at_another_server() {
    let shop = shop();
    let one = App::signing_on(options(), std::slice::from_ref(&shop)).await;
    let other = one.replica(&options().auth("oauth", "on")).await;
    let user = one.register().await;
    let asking = shop.ask("openid email");
    // The page from one, the log-in at the other, the code from the first, its exchange and the refresh at the other.
    let here = one.visitor();
    let page = here.get(&asking.path()).await.is(200);
    let there = moved(&here, &other);
    let entered = there.enter(&page, &user).await.is(200);
    let here = moved(&there, &one);
    let code = here.code(entered, &shop).await;
    let tokens = other.exchange(&shop, &code, &asking).await.tokens();
    one.exchange(&shop, &code, &asking).await.is(400);
    let next = one.refresh_as(&shop, tokens.refresh()).await.tokens();
    let same = other.refresh_as(&shop, tokens.refresh()).await.tokens();
    assert_eq!(
        same.refresh(),
        next.refresh(),
        "a lost answer is answered again"
    );
    other.userinfo(next.access()).await.is(200);
    drop(other);
}

async fn tokens(app: &App, user: &User) -> String {
    let tokens = app.tokens_of(user, &shop(), "openid").await;
    tokens.access().to_owned()
}

#[tokio::test]
async fn a_client_that_is_blocked_is_refused_everywhere_within_a_second() {
    let shop = shop();
    let one = App::signing_on(options(), std::slice::from_ref(&shop)).await;
    let other = one.replica(&options().auth("oauth", "on")).await;
    let user = one.register().await;
    let access = tokens(&one, &user).await;
    one.call_home(&access).await.is(200);
    let asking = shop.ask("openid");
    let cli = Cli::new(one.folder(), one.database().url());
    cli.finish(&["client", "block", "shop"]).await;
    for app in [&one, &other] {
        within_a_second(async || {
            app.visitor().get(&asking.path()).await.status == 400
                && app.refresh_as(&shop, "x").await.status == 401
                && app.call_home(&access).await.status == 401
        })
        .await;
    }
    // Unblocked, it may begin anew, and what has ended stays ended.
    cli.finish(&["client", "unblock", "shop"]).await;
    within_a_second(async || one.visitor().get(&asking.path()).await.status == 200).await;
    one.call_home(&access).await.refused(401, "token_revoked");
    one.call_home(&tokens(&one, &user).await).await.is(200);
    drop(other);
}

#[tokio::test]
async fn an_operator_ends_the_session_of_a_service_by_its_id() {
    let job = member("job", ClientKind::Service).with(|it| it.api = true);
    let app = App::signing_on(options(), std::slice::from_ref(&job)).await;
    let grant = [("grant_type", "client_credentials")];
    let ask = async || app.ask_as(&job, "/oauth/token", &grant).await.tokens();
    let first = ask().await;
    app.call_home(first.access()).await.is(200);
    let cli = Cli::new(app.folder(), app.database().url());
    let live = "SELECT id AS value FROM sessions WHERE kind = 'service' AND ended_at IS NULL";
    let sid = app.database().words(live).remove(0).unwrap();
    assert_eq!(cli.finish(&["sessions", "revoke", &sid]).await, "ended\n");
    within_a_second(async || app.call_home(first.access()).await.status == 401).await;
    assert_eq!(app.database().records(&sid, "session_ended"), 1);
    // It is not blocked: the next token is of another session.
    let next = ask().await;
    app.call_home(next.access()).await.is(200);
    assert_ne!(app.database().words(live).remove(0).unwrap(), sid);
}
