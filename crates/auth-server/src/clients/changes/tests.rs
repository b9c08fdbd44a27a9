use std::fs;
use std::time::Duration;

use super::*;
use crate::clients::{Client, ClientKind};
use crate::settings::DatabaseUrl;

struct World {
    folder: tempfile::TempDir,
    db: Db,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("test.db"));
    let db = Db::open(&url, Duration::ZERO).unwrap();
    World { folder, db }
}

fn at(now: i64) -> Caller {
    Caller {
        now,
        ..Caller::cli()
    }
}

fn described_as(id: &str, kind: ClientKind) -> Definition {
    let redirect_uris = match kind {
        ClientKind::Service => vec![],
        _ => vec!["https://app.example/cb".to_owned()],
    };
    Definition {
        redirect_uris,
        ..Definition::new(id, kind)
    }
}

impl World {
    async fn row(&self, id: &'static str) -> Option<ClientRow> {
        self.db.read(move |tx| tx.find_client(id)).await.unwrap()
    }

    async fn client(&self, id: &'static str) -> Client {
        Client::try_from(self.row(id).await.unwrap()).unwrap()
    }

    fn secret_file(&self, secret: &str) -> std::path::PathBuf {
        let path = self.folder.path().join("secret");
        fs::write(&path, format!("{secret}\nnot this\n")).unwrap();
        path
    }

    async fn applied(&self, definitions: &[Definition], now: i64) -> Vec<Done> {
        let done = apply(&self.db, definitions, &at(now)).await.unwrap();
        done.into_iter().map(|outcome| outcome.done).collect()
    }
}

#[tokio::test]
async fn a_client_is_added_once_and_only_a_confidential_one_gets_a_secret() {
    let world = world();
    let web = described_as("web", ClientKind::Web);
    let secret = add(&world.db, &web, &at(100)).await.unwrap().unwrap();
    let client = world.client("web").await;
    assert!(client.knows(&secret, 200) && !client.knows("another", 200));
    let again = add(&world.db, &web, &at(200)).await.unwrap_err();
    assert!(matches!(again, ChangeError::Exists(_)), "{again}");
    assert!(world.client("web").await.knows(&secret, 200));
    let spa = described_as("spa", ClientKind::Browser);
    assert_eq!(add(&world.db, &spa, &at(300)).await.unwrap(), None);
}

#[tokio::test]
async fn a_former_secret_is_good_for_a_day() {
    let world = world();
    let web = described_as("web", ClientKind::Web);
    let first = add(&world.db, &web, &at(100)).await.unwrap().unwrap();
    let second = rotate_secret(&world.db, "web", &at(1000)).await.unwrap();
    let client = world.client("web").await;
    assert!(client.knows(&first, 1000 + FORMER_SECRET - 1));
    assert!(!client.knows(&first, 1000 + FORMER_SECRET));
    assert!(client.knows(&second, i64::MAX));
    let spa = described_as("spa", ClientKind::Browser);
    add(&world.db, &spa, &at(100)).await.unwrap();
    for (id, said) in [("spa", "public"), ("none", "no client")] {
        let error = rotate_secret(&world.db, id, &at(1)).await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_client_that_becomes_confidential_gets_a_secret_and_one_that_becomes_public_loses_it() {
    let world = world();
    let spa = described_as("app", ClientKind::Browser);
    add(&world.db, &spa, &at(100)).await.unwrap();
    let become_kind = |kind| move |it: &mut Definition| it.kind = kind;
    let done = set(&world.db, "app", become_kind(ClientKind::Web), &at(200)).await;
    let secret = done.unwrap().secret.unwrap();
    assert!(world.client("app").await.knows(&secret, 200));
    // Once is enough.
    let done = set(&world.db, "app", become_kind(ClientKind::Web), &at(300)).await;
    let done = done.unwrap();
    assert!(!done.changed && done.secret.is_none(), "{done:?}");
    assert_eq!(world.row("app").await.unwrap().changed_at, 200);
    let done = set(&world.db, "app", become_kind(ClientKind::Native), &at(400)).await;
    assert!(done.unwrap().secret.is_none());
    assert!(!world.client("app").await.knows(&secret, 400));
}

#[tokio::test]
async fn a_file_that_is_applied_again_writes_nothing() {
    let world = world();
    let secret = "0123456789abcdef0123456789abcdef";
    let mut web = described_as("web", ClientKind::Web);
    web.secret_file = Some(world.secret_file(secret));
    let mut all = vec![web, described_as("spa", ClientKind::Browser)];
    assert_eq!(world.applied(&all, 100).await, [Done::Added, Done::Added]);
    assert!(world.client("web").await.knows(secret, 100));
    let before = (world.row("web").await, world.row("spa").await);
    let unchanged = [Done::Unchanged, Done::Unchanged];
    assert_eq!(world.applied(&all, 900).await, unchanged);
    assert_eq!((world.row("web").await, world.row("spa").await), before);
    // A name of one of them, then the other's secret, whose former one lives on for a day.
    all[1].name = Some("Single page".into());
    let changed = [Done::Unchanged, Done::Changed];
    assert_eq!(world.applied(&all, 1000).await, changed);
    let new = "fedcba9876543210fedcba9876543210";
    all[0].secret_file = Some(world.secret_file(new));
    let changed = [Done::Changed, Done::Unchanged];
    assert_eq!(world.applied(&all, 1100).await, changed);
    let client = world.client("web").await;
    assert!(client.knows(new, 1100) && client.knows(secret, 1100));
    assert!(!client.knows(secret, 1100 + FORMER_SECRET));
    // Without the file the secret stays.
    all[0].secret_file = None;
    assert_eq!(world.applied(&all, 1200).await, unchanged);
}

#[tokio::test]
async fn nothing_is_written_if_one_may_not_be_a_client() {
    let world = world();
    let good = || described_as("good", ClientKind::Browser);
    let web = || described_as("web", ClientKind::Web);
    let cases = [
        (
            Definition {
                redirect_uris: vec!["https://*.example/".into()],
                ..described_as("bad", ClientKind::Browser)
            },
            "entry 2: client \"bad\": redirectUris",
        ),
        (
            good(),
            "entry 2: client \"good\": id: it is described twice",
        ),
        (
            web(),
            "entry 2: client \"web\": secretFile: it needs a secret",
        ),
        (
            Definition {
                secret_file: Some("/nonexistent".into()),
                ..web()
            },
            "entry 2: client \"web\": secretFile: /nonexistent: ",
        ),
        (
            Definition {
                secret_file: Some(world.secret_file("too short")),
                ..web()
            },
            "shorter than 32",
        ),
        (
            Definition {
                secret_file: Some(world.secret_file(&"x".repeat(40))),
                ..described_as("native", ClientKind::Native)
            },
            "a public client has no secret",
        ),
    ];
    for (bad, said) in cases {
        let error = apply(&world.db, &[good(), bad], &at(100))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(said), "{said}: {error}");
        assert_eq!(world.row("good").await, None, "{said}");
    }
    for id in ["good", "bad", "web", "native"] {
        assert_eq!(world.row(id).await, None, "{id}");
    }
}

#[tokio::test]
async fn a_block_stays_until_it_is_lifted() {
    let world = world();
    let spa = [described_as("spa", ClientKind::Browser)];
    world.applied(&spa, 100).await;
    assert_eq!(block(&world.db, "spa", &at(200)).await.unwrap(), 0);
    let again = block(&world.db, "spa", &at(300)).await.unwrap_err();
    assert!(matches!(again, ChangeError::BlockedAlready(_)), "{again}");
    assert_eq!(world.applied(&spa, 400).await, [Done::Unchanged]);
    assert!(world.client("spa").await.blocked);
    unblock(&world.db, "spa", &at(500)).await.unwrap();
    assert!(!world.client("spa").await.blocked);
    let again = unblock(&world.db, "spa", &at(600)).await.unwrap_err();
    assert!(matches!(again, ChangeError::NotBlocked(_)), "{again}");
    assert_eq!(remove(&world.db, "spa", &at(700)).await.unwrap(), 0);
    for gone in [
        remove(&world.db, "spa", &at(800)).await.unwrap_err(),
        block(&world.db, "spa", &at(800)).await.unwrap_err(),
        unblock(&world.db, "spa", &at(800)).await.unwrap_err(),
    ] {
        assert!(matches!(gone, ChangeError::Unknown(_)), "{gone}");
    }
}
