//! Backups of a live database, what an older one does to sessions, and the move onto another database.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::slice::from_ref;

use e2e::{App, Cli, Database, Pair, Running};

use super::fleet::{Crowd, auth_server, terminate};

fn sqlite(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

fn app(auth: &Running) -> App {
    App::at(&auth.url, "")
}

async fn refreshed(app: &App, mut pair: Pair, times: usize) -> Pair {
    for _ in 0..times {
        pair = app.refresh(&pair).await;
    }
    pair
}

#[tokio::test]
async fn an_older_backup_signs_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let (live, saved) = (
        folder.path().join("live.db"),
        folder.path().join("saved.db"),
    );
    let cli = Cli::new(folder.path(), &sqlite(&live));
    let auth = auth_server(folder.path(), &sqlite(&live), &[]);
    let before = app(&auth);
    let (_, one) = before.newcomer().await;
    let (_, two) = before.newcomer().await;
    let one = refreshed(&before, one, 2).await;

    let crowd = Crowd::gather(6, from_ref(&auth.url)).await;
    let backup = ["backup", saved.to_str().unwrap()];
    cli.done(&backup);
    assert_eq!(
        saved.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    let report = crowd.disperse(&auth.url).await;
    assert_eq!(
        report.unavailable, 0,
        "a backup is in nobody's way: {report:?}"
    );
    let again = cli.run(&backup);
    assert!(
        !again.ok && again.err.contains("saved.db"),
        "it overwrites nothing: {again:?}"
    );

    // Both go on, far and one step, and then the database is set back.
    let one = refreshed(&before, one, 5).await;
    let two = refreshed(&before, two, 1).await;
    terminate(auth);
    for beside in ["live.db-wal", "live.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(beside));
    }
    std::fs::rename(&saved, &live).unwrap();
    let auth = auth_server(folder.path(), &sqlite(&live), &[]);
    let after = app(&auth);
    refreshed(&after, one.clone(), 3).await;
    refreshed(&after, two, 3).await;
    let explained = cli.done(&["sessions", "explain", &one.sid()]);
    assert!(explained.contains("restored or failed over"), "{explained}");
}

#[tokio::test]
async fn every_session_goes_on_after_a_copy_to_another_database() {
    let folder = tempfile::tempdir().unwrap();
    let source = sqlite(&folder.path().join("source.db"));
    let auth = auth_server(folder.path(), &source, &[]);
    let old = app(&auth);
    let (user, pair) = old.newcomer().await;
    let (_, other) = old.newcomer().await;
    let pair = refreshed(&old, pair, 3).await;
    let lost = old.refresh(&other).await; // as if its answer had not come
    let ended = old.log_in(&user).await;
    old.log_out(&ended).await;
    for n in 0..3 {
        old.try_log_in(&user.email, &format!("wrong password {n}"))
            .await
            .refused(401, "invalid_credentials");
    }
    terminate(auth);

    let target = Database::create(folder.path());
    let cli = Cli::new(folder.path(), target.url());
    let copy = ["copy", "--from", &source, "--to", target.url()];
    let said = cli.done(&copy);
    assert!(said.contains("2 users, 3 sessions"), "{said}");
    let again = cli.run(&copy);
    assert!(!again.ok && again.err.contains("not empty"), "{again:?}");

    let auth = auth_server(folder.path(), target.url(), &[]);
    let new = app(&auth);
    refreshed(&new, pair.clone(), 3).await;
    assert_eq!(new.refresh(&other).await.refresh_token, lost.refresh_token);
    let gone = new
        .try_refresh(&ended)
        .await
        .refused(401, "session_revoked");
    assert_eq!(gone.reason.as_deref(), Some("logout"));
    new.log_in(&user).await;
    assert!(
        cli.done(&["sessions", "explain", &ended.sid()])
            .contains("the user logged out")
    );
}

#[test]
fn a_copy_or_backup_of_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = sqlite(&folder.path().join("missing.db"));
    let target = sqlite(&folder.path().join("target.db"));
    let cli = Cli::new(folder.path(), &missing);
    let file = folder.path().join("backup.db");
    for command in [
        vec!["copy", "--from", &missing, "--to", &target],
        vec!["copy", "--from", &target, "--to", &target],
        vec!["backup", file.to_str().unwrap()],
    ] {
        let ran = cli.run(&command);
        assert!(!ran.ok && ran.err.lines().count() == 1, "{ran:?}");
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing was made"
    );
}
