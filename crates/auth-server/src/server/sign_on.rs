//! The parts of sign-on, where it is on.

use std::sync::Arc;

use actix_web::web;
use chassis::metrics::Metrics;
use gate::Gate;
use id_keys::{Algorithm, IdKeyFile};
use shared::clock;
use shared::token::Validator;

use super::StartError;
use crate::back_channel::{Reach, Sender};
use crate::clients::Clients;
use crate::db::Db;
use crate::mac_keys::MacKeyFile;
use crate::routes::{AnyLiveSession, Metadata, Offers, UserinfoGate};
use crate::sessions::{Announcer, Sessions};
use crate::settings::{Settings, Switch};
use crate::sign_on::SignOn;

/// What there is besides where other programs sign their users in.
#[derive(Clone)]
pub(super) struct SignOnParts {
    pub(super) sign_on: web::Data<SignOn>,
    pub(super) clients: Clients,
    pub(super) id_keys: Arc<IdKeyFile>,
    pub(super) gate: web::Data<UserinfoGate>,
    pub(super) metadata: web::Data<Metadata>,
    pub(super) offers: web::Data<Offers>,
    pub(super) back_channel: Arc<Sender>,
}

/// What sign-on needs, where it is on.
pub(super) async fn build(
    settings: &Settings,
    db: &Db,
    sessions: &Arc<Sessions>,
    (validator, mac_keys): (&Arc<Validator>, &Arc<MacKeyFile>),
    (announcer, metrics): (&Announcer, &Metrics),
) -> Result<Option<SignOnParts>, StartError> {
    if settings.sign_on.oauth == Switch::Off {
        return Ok(None);
    }
    let path = &settings.sign_on.id_keys_file;
    let id_keys = IdKeyFile::open(path).map_err(|e| StartError(e.naming("ID_KEYS_FILE")))?;
    if let Some(algorithm) = Algorithm::ALL
        .into_iter()
        .find(|algorithm| id_keys.ring().active(*algorithm, clock::now()).is_none())
    {
        return Err(StartError(format!(
            "ID_KEYS_FILE: {} holds no {algorithm} key that can sign now: `auth-server keys status` shows them, \
             `auth-server keys rotate-id --in 0s` adds one",
            path.display()
        )));
    }
    let clients = Clients::open(db.clone()).await.map_err(StartError::of)?;
    let policy = validator.policy();
    let sign_on = SignOn::new(
        db.clone(),
        Arc::clone(sessions),
        clients.clone(),
        (Arc::clone(&id_keys), Arc::clone(mac_keys)),
        policy.issuer.clone(),
        policy.audiences.clone(),
    );
    let back_channel = Sender::new(
        (db.clone(), clients.clone(), Arc::clone(&id_keys)),
        policy.issuer.clone(),
        Reach::new().map_err(StartError::of)?,
        announcer.news(),
        (announcer.counters().clone(), metrics),
    )
    .map_err(StartError::of)?;
    let look_up = Arc::new(AnyLiveSession(Arc::clone(sessions)));
    let gate = Gate::looking_up(Arc::clone(validator), look_up).or_issuer();
    Ok(Some(SignOnParts {
        back_channel: Arc::new(back_channel),
        sign_on: web::Data::new(sign_on),
        clients,
        id_keys,
        gate: web::Data::new(UserinfoGate(gate)),
        metadata: web::Data::new(Metadata::of(&policy.issuer)),
        offers: web::Data::new(Offers {
            registration: settings.registration,
            mail: settings.mail.mail_url.is_some(),
        }),
    }))
}
