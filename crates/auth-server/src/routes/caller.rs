//! Who asks: address, user agent, request id and time, for the audit trail.

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::time::Instant;

use actix_web::dev::Payload;
use actix_web::http::header::{ACCEPT_LANGUAGE, X_FORWARDED_FOR};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use chassis::client_address::TrustedProxies;
use gate::RequestInfo;
use mail::Locale;

use super::user_agent;
use crate::db::Caller;

/// The client's address, by the proxies that are believed.
fn client(proxies: &TrustedProxies, request: &HttpRequest) -> Option<IpAddr> {
    // Lossy: what a client puts before the address that the proxy adds must not hide that.
    let forwarded: Vec<_> = request
        .headers()
        .get_all(X_FORWARDED_FOR)
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    let peer = request.peer_addr()?.ip();
    Some(proxies.client(peer, forwarded.iter().map(AsRef::as_ref)))
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

/// The language that the client's user reads best, of those that we write.
pub(super) fn locale_of(request: &HttpRequest) -> Locale {
    let wanted = request.headers().get(ACCEPT_LANGUAGE);
    Locale::of_accept_language(
        wanted
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default(),
    )
}

fn of(request: &HttpRequest) -> Caller {
    let info = RequestInfo::of_request(request);
    let address = request
        .app_data::<Data<TrustedProxies>>()
        .and_then(|proxies| client(proxies, request));
    Caller {
        now: info.now,
        arrived: Instant::now(),
        address: address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        user_agent: user_agent::of(request.headers()),
        locale: locale_of(request),
        request_id: info.trace.to_string(),
    }
}
