//! What sign-on needs, where it is on: the keys of `id_token`s, and clients that can be used.

use id_keys::{Algorithm, IdKeyFile};
use shared::clock;
use shared::key_file::check_mount;

use super::{Report, same_folder};
use crate::back_channel::is_in_private;
use crate::clients::Definition;
use crate::db::{ClientRow, DbError};
use crate::settings::{Settings, Switch};

const SETTING: &str = "ID_KEYS_FILE";

/// The file of the second ring.
pub(super) fn keys(settings: &Settings, report: &mut Report) {
    if settings.sign_on.oauth == Switch::Off {
        return;
    }
    let path = &settings.sign_on.id_keys_file;
    match IdKeyFile::open(path) {
        Ok(file) => {
            let (keys, now) = (file.ring(), clock::now());
            let signing = |algorithm: &Algorithm| keys.active(*algorithm, now).is_none();
            let missing: Vec<&str> = Algorithm::ALL
                .iter()
                .filter(|algorithm| signing(algorithm))
                .map(|algorithm| algorithm.name())
                .collect();
            let kids: Vec<&str> = keys.iter().map(id_keys::IdKey::kid).collect();
            report.check(
                missing.is_empty(),
                &format!("keys of id_tokens {}: {}", path.display(), kids.join(", ")),
                &format!("{SETTING}: no key signs {} now", missing.join(", ")),
                "auth-server keys import-id FILE --in 0s takes one; `keys status` shows when the others begin",
            );
        }
        Err(error) => report.fault(
            &error.naming(SETTING),
            "auth-server alone needs this file; `auth-server keys init` makes it where it is missing",
        ),
    }
    if let Some(advice) = check_mount(path) {
        let what = format!("{SETTING}: {} cannot be rotated", path.display());
        report.fault(&what, advice);
    }
    if same_folder(path, &settings.token.jwt_keys_file) {
        report.fault(
            &format!("JWT_KEYS_FILE and {SETTING} are in one folder"),
            "resource-api gets the first and must not get the second: give each a folder of its own",
        );
    }
}

/// The registered clients: each must be one that could be registered today.
pub(super) async fn clients(settings: &Settings, report: &mut Report) {
    if settings.sign_on.oauth == Switch::Off {
        return;
    }
    // What else a database that does not answer means has been said.
    let Ok(db) = super::super::open_existing(settings).await else {
        return;
    };
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method itself is not general enough over the lifetime of a Tx"
    )]
    let Ok(rows) = db.read(|tx| tx.list_clients()).await else {
        return;
    };
    let mut fine = 0_usize;
    for row in &rows {
        match fault_of(row) {
            None => fine = fine.saturating_add(1),
            Some(why) => report.fault(
                &format!("the client {:?} cannot be used: {why}", row.id),
                "auth-server client set, or client remove",
            ),
        }
    }
    for row in &rows {
        if let Some(uri) = &row.backchannel_uri
            && row.backchannel_private == 0
            && is_in_private(uri).await
        {
            report.fault(
                &format!("the client {:?} hears of no log-out: its back-channel URI leads to a private address", row.id),
                "if it is meant to: auth-server client set ID --backchannel-private",
            );
        }
    }
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method itself is not general enough over the lifetime of a Tx"
    )]
    let in_vain = db.read(|tx| tx.log_outs_in_vain()).await;
    for (client, waiting, tries) in in_vain.unwrap_or_default() {
        report.fault(
            &format!("the client {client:?} does not take log-outs: {waiting} wait, tried up to {tries} times"),
            "auth-server's log says what its receiver answers; each is tried for a day",
        );
    }
    if fine > 0 || rows.is_empty() {
        report.fine(&format!("{fine} clients can sign in"));
    }
}

fn fault_of(row: &ClientRow) -> Option<String> {
    let definition = match Definition::of(row) {
        Ok(definition) => definition,
        Err(error @ DbError::Unreadable(_)) => return Some(error.to_string()),
        Err(_) => return None,
    };
    if definition.kind.is_confidential() && row.secret_hash.is_none() {
        return Some("it has no secret; `client rotate-secret` makes one".into());
    }
    let again = definition.row(Some(row), None, row.changed_at);
    again.err().map(|fault| fault.to_string())
}
