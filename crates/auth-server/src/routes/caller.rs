//! Who asks: address, user agent, request id and time, for the audit trail.

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::time::Instant;

use actix_web::dev::Payload;
use actix_web::http::header::X_FORWARDED_FOR;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use shared::client_address::TrustedProxies;
use shared::http::RequestInfo;

use super::user_agent;
use crate::client_address::AddressBuckets;
use crate::error::Error;
use crate::model::Caller;
use crate::settings::{LimitSettings, Switch};

/// How clients are told apart, and how much each may try.
pub(crate) struct Addresses {
    proxies: TrustedProxies,
    buckets: Option<AddressBuckets>,
}

impl Addresses {
    /// By the settings.
    pub(crate) fn new(limits: &LimitSettings, proxies: TrustedProxies) -> Self {
        let on = limits.login_limits == Switch::On;
        Self {
            buckets: on.then(|| AddressBuckets::new(proxies.is_empty())),
            proxies,
        }
    }

    /// Counts an attempt of the caller's address.
    pub(super) fn take(&self, caller: &Caller) -> Result<(), Error> {
        match (&self.buckets, caller.address.parse()) {
            (Some(buckets), Ok(address)) => buckets.take(address).map_err(Error::TooManyAttempts),
            _ => Ok(()),
        }
    }

    fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        // Lossy: what a client puts before the address that the proxy adds must not hide that.
        let forwarded: Vec<_> = request
            .headers()
            .get_all(X_FORWARDED_FOR)
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        let peer = request.peer_addr()?.ip();
        Some(
            self.proxies
                .client(peer, forwarded.iter().map(AsRef::as_ref)),
        )
    }
}

/// Extracts the [`Caller`].
pub(super) struct CalledBy(pub(super) Caller);

impl FromRequest for CalledBy {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(of(request))))
    }
}

/// Id and time of a request, as the outermost middleware noted them.
pub(super) fn info(request: &HttpRequest) -> RequestInfo {
    match RequestInfo::from_request(request, &mut Payload::None).into_inner() {
        Ok(info) => info,
        // It never is: the extractor makes an id where none was noted.
        Err(_) => RequestInfo {
            id: String::new(),
            now: shared::clock::now(),
        },
    }
}

fn of(request: &HttpRequest) -> Caller {
    let info = info(request);
    let address = request
        .app_data::<Data<Addresses>>()
        .and_then(|addresses| addresses.client(request));
    Caller {
        now: info.now,
        arrived: Instant::now(),
        address: address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        user_agent: user_agent::of(request.headers()),
        request_id: info.id,
    }
}
