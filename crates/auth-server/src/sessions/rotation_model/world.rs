//! Real sessions on a real database that two replicas share, with time in the test's hand.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::metrics::Metrics;
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use sha2::{Digest, Sha256};
use shared::key_file::KeyFile;
use shared::keys::KeyRing;
use shared::token::{Policy, Signer, Validator};

use super::table::{ABSOLUTE, Answer, Ask, GRACE, IDLE, LATE_RETRIES, MORNING, Table};
use super::waiting::{CLIENT, REDIRECT, VERIFIER, Waiting, Words, client, client_row};
use crate::db::{Account, Caller, EndReason, Session, User};
use crate::db::{Db, NewUser, PendingCode};
use crate::db::{Generation, SessionId, UserId};
use crate::error::Error;
use crate::error::Over;
use crate::feed::Endings;
use crate::log_in::Counter;
use crate::mac_keys::MacKeyFile;
use crate::mac_keys::MacKeys;
use crate::operations::counters::Counters;
use crate::outbox::Outbox;
use crate::sessions::refresh_token::{Purpose, RefreshToken};
use crate::sessions::{Announcer, FirstUse, Granted, Pair, Sessions};
use crate::settings::{DatabaseUrl, LifetimeSettings, ReusePolicy};

/// Two replicas of the rules on one database, and a user.
pub(super) struct World {
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) replicas: [Sessions; 2],
    pub(super) db: Db,
    pub(super) mac_keys: Arc<MacKeyFile>,
    pub(super) user: User,
    /// For what only an operator does: setting a row back.
    pub(super) raw: RefCell<SqliteConnection>,
    _folder: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.db");
        let url = DatabaseUrl::Sqlite(path.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (db, other) = (
            Db::open(&url, Duration::ZERO).unwrap(),
            Db::open(&url, Duration::ZERO).unwrap(),
        );
        let keys = KeyFile::fixed(KeyRing::generate(0));
        let mac_keys = MacKeyFile::fixed(MacKeys::generate(0));
        let replica = |db: &Db| {
            let policy = Policy {
                issuer: "i".into(),
                audiences: vec!["a".into()],
                skew: 0,
            };
            let metrics = Metrics::new("model", "0").unwrap();
            let counters = Counters::register(&metrics).unwrap();
            Sessions::new(
                db.clone(),
                Signer::new(Arc::clone(&keys), policy.clone()),
                Arc::new(Validator::new(Arc::clone(&keys), policy)),
                Arc::clone(&mac_keys),
                Announcer::new(Endings::new(3600), counters),
                LifetimeSettings {
                    sso_idle_ttl: Duration::from_hours(24),
                    sso_absolute_ttl: Duration::from_hours(30 * 24),
                    access_token_ttl: Duration::from_mins(5),
                    refresh_idle_ttl: Duration::from_secs(IDLE.unsigned_abs()),
                    refresh_absolute_ttl: Duration::from_secs(ABSOLUTE.unsigned_abs()),
                    refresh_grace: Duration::from_secs(GRACE.unsigned_abs()),
                    refresh_late_retries: u32::try_from(LATE_RETRIES).unwrap(),
                    refresh_reuse: ReusePolicy::EndSession,
                    max_sessions_per_user: 1_000_000,
                    audit_retention: Duration::from_secs(1_000_000_000),
                },
                (Outbox::new(false), Outbox::new(false)),
            )
        };
        let account = Account {
            id: UserId::random(),
            user_name: "u".into(),
            email: "u@x".into(),
            email_verified: false,
            roles: vec![],
        };
        let new = NewUser {
            account: account.clone(),
            password_hash: "-".into(),
            created_at: MORNING,
            email_verified_at: None,
            self_registered: false,
        };
        let id = account.id;
        let user = runtime.block_on(async {
            db.write(&Caller::cli(), move |tx| {
                tx.insert_user(&new)?;
                for id in [CLIENT, "another"] {
                    tx.put_client(&client_row(id), MORNING)?;
                }
                Ok(())
            })
            .await
            .unwrap();
            db.read(move |tx| tx.find_user(id)).await.unwrap().unwrap()
        });
        let mut raw = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
        diesel::sql_query("PRAGMA busy_timeout = 5000")
            .execute(&mut raw)
            .unwrap();
        Self {
            replicas: [replica(&db), replica(&other)],
            runtime,
            db,
            mac_keys,
            user,
            raw: RefCell::new(raw),
            _folder: folder,
        }
    }

    /// Sets the user's roles, as an operator does while a log-in is checking the password.
    pub(super) fn set_roles(&self, roles: &[String]) {
        let (id, roles) = (self.user.account.id, roles.to_vec());
        let caller = Caller::cli();
        let set = self.db.write(&caller, move |tx| tx.set_roles(id, &roles));
        assert!(self.runtime.block_on(set).unwrap());
    }

    /// The roles that a token says.
    pub(super) fn roles(&self, access: &str) -> Vec<String> {
        self.replicas[0].validator.recognise(access).unwrap().roles
    }

    /// Begins a session that turns over at this door.
    pub(super) fn begin_at(&self, door: Door) -> Case<'_> {
        match door {
            Door::Account => self.begin(),
            Door::Client => {
                let waiting = self.ask_for_code();
                let exchanged = waiting.exchange(0, MORNING, &Words::right());
                let tokens = exchanged.ok().unwrap();
                let (refresh, _) = tokens.refresh.unwrap();
                Case {
                    world: self,
                    door,
                    id: waiting.id,
                    access: tokens.access_token,
                    issued: BTreeMap::from([(1, refresh)]),
                    table: Table::begun(MORNING),
                    now: MORNING,
                }
            }
        }
    }

    /// Signs the user in in a browser, and authorizes a client there whose users are not asked.
    pub(super) fn ask_for_code(&self) -> Waiting<'_> {
        self.ask_for_code_agreed("").unwrap()
    }

    /// The same of a client with which he must have agreed to these words; `None` if he has not.
    pub(super) fn ask_for_code_agreed(&self, agreed: &str) -> Option<Waiting<'_>> {
        let (rules, caller) = (&self.replicas[0], caller(MORNING));
        let browser = rules.start_browser(
            &self.user,
            FirstUse::default(),
            None::<Counter>,
            None,
            &caller,
        );
        let browser = self.runtime.block_on(browser).ok().unwrap().browser;
        let granted = Granted {
            client: CLIENT.into(),
            scope: "openid".into(),
            agreed: agreed.into(),
            offline: false,
            pending: PendingCode {
                redirect_uri: REDIRECT.into(),
                challenge: Some(URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))),
                nonce: None,
            },
        };
        let issued = rules.issue_code(&browser, granted, &caller);
        let code = self.runtime.block_on(issued).ok().unwrap()?;
        let token = RefreshToken::decode(&code, Purpose::Code, &self.mac_keys.ring()).unwrap();
        Some(Waiting {
            world: self,
            id: token.session,
            browser: browser.session,
            code,
        })
    }

    /// Begins a session of the account's own.
    pub(super) fn begin(&self) -> Case<'_> {
        let pair = self
            .runtime
            .block_on(self.replicas[0].start(
                &self.user,
                FirstUse::default(),
                None::<Counter>,
                &caller(MORNING),
            ))
            .ok()
            .unwrap();
        let token =
            RefreshToken::decode(&pair.refresh_token, Purpose::Account, &self.mac_keys.ring())
                .unwrap();
        Case {
            world: self,
            door: Door::Account,
            id: token.session,
            access: pair.access_token,
            issued: BTreeMap::from([(1, pair.refresh_token)]),
            table: Table::begun(MORNING),
            now: MORNING,
        }
    }
}

/// Where a session turns over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Door {
    /// `/api/account/refresh-token`.
    Account,
    /// `/oauth/token`.
    Client,
}

/// One session, what was handed out for it, and what the table says of it.
pub(super) struct Case<'a> {
    world: &'a World,
    door: Door,
    id: SessionId,
    pub(super) access: String,
    /// The one refresh token of every generation that was ever answered.
    pub(super) issued: BTreeMap<i64, String>,
    pub(super) table: Table,
    pub(super) now: i64,
}

/// A row to go back to, with the table as it was.
#[derive(Clone)]
pub(super) struct Backup {
    row: Session,
    pub(super) table: Table,
}

impl Case<'_> {
    pub(super) fn newest(&self) -> i64 {
        *self.issued.keys().next_back().unwrap()
    }

    /// The row as it stands, and the number of its audit records.
    pub(super) fn row(&self) -> (Session, usize) {
        let id = self.id;
        let read = self.world.db.read(move |tx| {
            let row = tx.find_session(id)?.map(|found| found.session);
            Ok((row, tx.audit_of_session(id)?.len()))
        });
        let (row, records) = self.world.runtime.block_on(read).unwrap();
        (row.unwrap(), records)
    }

    /// Asks one replica, and holds its answer and the row against the table.
    pub(super) fn ask(&mut self, replica: usize, ask: Ask) -> Result<Answer, String> {
        let before = self.row();
        let answer = self.world.runtime.block_on(self.send(replica, ask));
        let (expected, records) = self.table.answer(ask, self.now);
        let answer = self.heard(answer)?;
        if answer != expected {
            return Err(format!(
                "{ask:?}: the table says {expected:?}, the service {answer:?}"
            ));
        }
        let after = self.row();
        self.check_row(&after.0)?;
        if after.1 != before.1 + records {
            return Err(format!(
                "{ask:?}: {} audit records instead of {records}",
                after.1 - before.1
            ));
        }
        let unmoved = match answer {
            Answer::Pair(generation) => Generation(generation) == before.0.generation,
            Answer::Superseded | Answer::Over(_) => true,
            _ => false,
        };
        if unmoved && records == 0 && after.0 != before.0 {
            return Err(format!(
                "{ask:?}: a request that changes nothing wrote to the row"
            ));
        }
        Ok(answer)
    }

    /// Asks both replicas at once: the answers and the row must be those of one order or the other.
    pub(super) fn race(&mut self, asks: [Ask; 2]) -> Result<(), String> {
        let both = async { tokio::join!(self.send(0, asks[0]), self.send(1, asks[1])) };
        let (one, other) = self.world.runtime.block_on(both);
        let heard = [self.heard(one)?, self.heard(other)?];
        let row = self.row().0;
        let mut said = Vec::new();
        for order in [[0, 1], [1, 0]] {
            let mut table = self.table.clone();
            let mut expected = heard.clone();
            for at in order {
                expected[at] = table.answer(asks[at], self.now).0;
            }
            let was = std::mem::replace(&mut self.table, table);
            if expected == heard && self.check_row(&row).is_ok() {
                return Ok(());
            }
            self.table = was;
            said.push(expected);
        }
        Err(format!("{asks:?} at once: {heard:?}, but in turn {said:?}"))
    }

    /// Blocks, or changes the password: every session of the user ends.
    pub(super) fn end_all(&mut self) {
        let caller = caller(self.now);
        let ended =
            self.world.replicas[1].end_all(self.world.user.account.id, EndReason::Blocked, &caller);
        self.world.runtime.block_on(ended).unwrap();
        self.table.ended = Some("blocked");
    }

    pub(super) fn save(&self) -> Backup {
        Backup {
            row: self.row().0,
            table: self.table.clone(),
        }
    }

    /// Sets the row back, as a restored or failed-over database does.
    pub(super) fn restore(&mut self, backup: &Backup) {
        let Session {
            generation,
            rotated_at,
            idle_until,
            late_generation,
            late_streak,
            ended,
            ..
        } = backup.row;
        let (at, reason) = match ended {
            Some((at, reason)) => (at.to_string(), format!("'{}'", reason.as_str())),
            None => ("NULL".to_owned(), "NULL".to_owned()),
        };
        let sql = format!(
            "UPDATE sessions SET generation = {generation}, rotated_at = {rotated_at}, idle_until = {idle_until}, \
             late_generation = {late_generation}, late_streak = {late_streak}, ended_at = {at}, \
             end_reason = {reason} WHERE id = '{}'",
            self.id
        );
        diesel::sql_query(sql)
            .execute(&mut *self.world.raw.borrow_mut())
            .unwrap();
        self.table = backup.table.clone();
    }

    async fn send(&self, replica: usize, ask: Ask) -> Result<Option<Pair>, Error> {
        let (replica, caller) = (&self.world.replicas[replica % 2], caller(self.now));
        let client = client(CLIENT);
        match (self.door, ask) {
            (Door::Account, Ask::Refresh(n)) => replica
                .refresh(&self.access, &self.token(n), &caller)
                .await
                .map(Some),
            (Door::Account, Ask::LogOut(n)) => replica
                .log_out(&self.access, &self.token(n), &caller)
                .await
                .map(|()| None),
            (Door::Client, Ask::Refresh(n)) => {
                let tokens = replica
                    .refresh_app(&self.token(n), &client, None, &caller)
                    .await?;
                let (refresh_token, refresh_expires_in) = tokens.refresh.unwrap();
                Ok(Some(Pair {
                    access_token: tokens.access_token,
                    refresh_token,
                    expires_in: tokens.expires_in,
                    refresh_expires_in,
                }))
            }
            (Door::Client, Ask::LogOut(n)) => replica
                .revoke_app(&self.token(n), &client, &caller)
                .await
                .map(|()| None),
        }
    }

    fn token(&self, n: i64) -> String {
        self.issued[&n].clone()
    }

    /// Notes what was handed out: one generation has one refresh token, however often it is answered.
    fn heard(&mut self, answer: Result<Option<Pair>, Error>) -> Result<Answer, String> {
        Ok(match answer {
            Ok(None) => Answer::LoggedOut,
            Ok(Some(pair)) => {
                let token = RefreshToken::decode(
                    &pair.refresh_token,
                    match self.door {
                        Door::Account => Purpose::Account,
                        Door::Client => Purpose::App,
                    },
                    &self.world.mac_keys.ring(),
                )
                .unwrap();
                let known = self
                    .issued
                    .entry(token.generation.0)
                    .or_insert_with(|| pair.refresh_token.clone());
                if *known != pair.refresh_token || token.session != self.id {
                    return Err(format!(
                        "generation {} has two refresh tokens",
                        token.generation
                    ));
                }
                self.access = pair.access_token;
                Answer::Pair(token.generation.0)
            }
            Err(Error::Superseded) => Answer::Superseded,
            Err(Error::Reused) => Answer::Reused,
            Err(Error::SessionOver(Over::Idle)) => Answer::Over("idle"),
            Err(Error::SessionOver(Over::Absolute)) => Answer::Over("absolute"),
            Err(Error::SessionOver(Over::Ended(reason))) => Answer::Over(reason.as_str()),
            Err(other) => Answer::Other(other.to_string()),
        })
    }

    fn check_row(&self, row: &Session) -> Result<(), String> {
        let mut found = self.table.clone();
        found.generation = row.generation.0;
        found.rotated_at = row.rotated_at;
        found.idle_until = row.idle_until;
        found.absolute_until = row.absolute_until;
        found.ended = row.ended.map(|(_, reason)| reason.as_str());
        if found == self.table {
            Ok(())
        } else {
            Err(format!("the row is {found:?} instead of {:?}", self.table))
        }
    }
}

pub(super) fn caller(now: i64) -> Caller {
    Caller {
        now,
        arrived: Instant::now(),
        address: "a".into(),
        user_agent: "t".into(),
        locale: mail::Locale::En,
        request_id: "r".into(),
    }
}
