//! Our own pages as answers: headers, language, cookies, and whose forms are taken.

use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use gate::{Problem, RequestInfo};
use mail::Locale;
use pages::{Fault, Language, Look, Mistake, Template, Trouble};

use super::caller::locale_of;
use crate::clients::is_loopback;
use crate::error::Error;
use crate::strength::in_chinese;

/// RFC 9700 §4.16, and nothing from anywhere else.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

/// The largest style sheet of an operator, in bytes.
const LARGEST_STYLE: u64 = 256 * 1024;

/// Where our pages are, as their visitors see it, and how they look.
#[derive(Clone, Debug)]
pub(crate) struct Hosted {
    /// `scheme://host[:port]`.
    origin: String,
    host: String,
    title: Option<String>,
    style: Option<bytes::Bytes>,
}

impl Hosted {
    /// Those of an issuer.
    ///
    /// # Errors
    /// A sentence that names the setting of a style sheet that cannot be read.
    pub(crate) fn new(
        issuer: &str,
        title: Option<&str>,
        style: Option<&std::path::Path>,
    ) -> Result<Self, String> {
        let (scheme, rest) = issuer.split_once("://").unwrap_or(("http", issuer));
        let host = rest.split('/').next().unwrap_or_default();
        let read = |path: &std::path::Path| {
            let size = std::fs::metadata(path).map(|it| it.len());
            let content = match size {
                Ok(size) if size > LARGEST_STYLE => Err("is larger than 256 KiB".to_owned()),
                Ok(_) => std::fs::read(path).map_err(|e| e.to_string()),
                Err(e) => Err(e.to_string()),
            };
            content
                .map(bytes::Bytes::from)
                .map_err(|why| format!("PAGE_STYLE: {}: {why}", path.display()))
        };
        Ok(Self {
            origin: format!("{scheme}://{host}"),
            host: host.to_owned(),
            title: title.map(str::to_owned),
            style: style.map(read).transpose()?,
        })
    }

    /// The operator's style sheet.
    pub(super) fn style(&self) -> Option<bytes::Bytes> {
        self.style.clone()
    }

    pub(super) fn look(&self, language: Language) -> Look<'_> {
        Look {
            language,
            service: self.title.as_deref().unwrap_or(&self.host),
            custom_style: self.style.is_some(),
        }
    }

    /// Whether a form came from a page of ours: what browsers say, and pages cannot.
    pub(super) fn is_own_form(&self, headers: &HeaderMap) -> bool {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        match (text("origin"), text("sec-fetch-site")) {
            (Some("null"), site) => site == Some("same-origin"),
            (Some(origin), None) => origin == self.origin,
            (Some(origin), Some(site)) => origin == self.origin && site == "same-origin",
            (None, Some(site)) => site == "same-origin",
            // No browser: nothing that it would send along for somebody else.
            (None, None) => true,
        }
    }

    /// The same page at the issuer's host, for whoever asked for it by another name of the same machine: cookies and
    /// origins belong to one host.
    pub(crate) fn at_own_host(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let host = request.headers().get(header::HOST)?.to_str().ok()?;
        let elsewhere = host != self.host
            && self.origin.starts_with("http://")
            && is_loopback(&format!("http://{host}"))
            && is_loopback(&self.origin)
            // Only there: before a proxy that passes on another name than the browser's, this would go on for ever.
            && port_of(host) == port_of(&self.host);
        elsewhere.then(|| {
            // Not the whole address, which a request line may have.
            let path = request.uri().path_and_query();
            let path = path.map_or("/", |path| path.as_str());
            let location = format!("{}{path}", self.origin);
            redirect(StatusCode::FOUND, &location)
        })
    }

    /// A cookie of ours: for this host alone, not for scripts, and sent along with nothing but navigation to us.
    pub(super) fn cookie<'c>(
        &self,
        name: &CookieName,
        value: String,
        seconds: Option<i64>,
    ) -> Cookie<'c> {
        // Safari keeps no `Secure` cookie of a loopback address without TLS.
        let secure = self.is_secure();
        let mut cookie = Cookie::build(self.cookie_name(name), value)
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(secure);
        if let Some(seconds) = seconds {
            cookie = cookie.max_age(time::Duration::seconds(seconds));
        }
        cookie.finish()
    }

    /// The value of a cookie of ours.
    pub(super) fn read_cookie(&self, request: &HttpRequest, name: &CookieName) -> Option<String> {
        let wanted = self.cookie_name(name);
        request
            .cookie(&wanted)
            .map(|cookie| cookie.value().to_owned())
    }

    fn cookie_name(&self, CookieName(name): &CookieName) -> String {
        let prefix = if self.is_secure() { "__Host-" } else { "" };
        format!("{prefix}{name}")
    }

    fn is_secure(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// The page for a request that leads nowhere.
    pub(super) fn fault(
        &self,
        request: &HttpRequest,
        language: Language,
        (mistake, status): (Mistake, StatusCode),
        (error, description): (&str, &str),
    ) -> HttpResponse {
        let info = RequestInfo::of_request(request);
        let page = Fault {
            look: self.look(language),
            mistake,
            error,
            description,
            request_id: Some(&info.id),
        };
        html(&page, status, None)
    }

    /// The page for a form that another site sent.
    pub(super) fn not_our_form(&self, request: &HttpRequest, language: Language) -> HttpResponse {
        const SAID: (&str, &str) = (
            "invalid_request",
            "this form is not taken from another site",
        );
        let at = (Mistake::StaleForm, StatusCode::FORBIDDEN);
        let mut answer = self.fault(request, language, at, SAID);
        let problem = Problem::new(StatusCode::FORBIDDEN, SAID.0);
        answer.extensions_mut().insert(problem.detail(SAID.1));
        answer
    }

    /// The page for what failed inside, or was asked for in a way that no form of ours does.
    pub(super) fn failed(
        &self,
        request: &HttpRequest,
        language: Language,
        problem: Problem,
    ) -> HttpResponse {
        let status = problem.status();
        let mistake = match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Mistake::Unavailable,
            status if status.is_server_error() => Mistake::Other,
            _ => Mistake::Malformed,
        };
        let mut answer = self.fault(request, language, (mistake, status), (problem.code(), ""));
        if mistake == Mistake::Unavailable {
            let headers = answer.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer.extensions_mut().insert(problem);
        answer
    }
}

fn port_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => port,
        _ => "80",
    }
}

/// The name of a cookie of ours, to which https adds what keeps other hosts from setting it.
pub(super) struct CookieName(&'static str);

/// Who is signed in.
pub(super) const SESSION: CookieName = CookieName("keyturn");
/// What the token of our forms is made of.
pub(super) const FORM: CookieName = CookieName("keyturn-form");
/// By what the account knows the browser again.
pub(super) const DEVICE: CookieName = CookieName("keyturn-device");

/// The language of a page: the one that the request names, or that the browser likes.
pub(super) fn language_of(request: &HttpRequest, ui_locales: Option<&str>) -> Language {
    ui_locales
        .and_then(Language::of_ui_locales)
        .unwrap_or_else(|| language(locale_of(request)))
}

pub(super) fn language(locale: Locale) -> Language {
    match locale {
        Locale::En => Language::En,
        Locale::Zh => Language::Zh,
    }
}

/// A page as an answer. `error` is for the log and the metrics; the page itself says it to people.
pub(super) fn html(
    page: &impl Template,
    status: StatusCode,
    error: Option<&Error>,
) -> HttpResponse {
    html_under(POLICY, page, status, error)
}

/// The same under a policy of its own.
pub(super) fn html_under(
    policy: &str,
    page: &impl Template,
    status: StatusCode,
    error: Option<&Error>,
) -> HttpResponse {
    let content = match page.render() {
        Ok(content) => content,
        Err(error) => return Problem::internal(format!("page: {error}")).error_response(),
    };
    let mut answer = HttpResponse::build(status);
    guarded(&mut answer, policy)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("text/html; charset=utf-8");
    match error {
        Some(Error::TooManyAttempts(seconds)) => {
            answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        Some(error) if error.status_code() == StatusCode::SERVICE_UNAVAILABLE => {
            answer.insert_header((header::RETRY_AFTER, "1"));
        }
        _ => {}
    }
    let mut answer = answer.body(content);
    if let Some(error) = error {
        answer.extensions_mut().insert(Problem::from(error));
    }
    answer
}

/// A file of the pages.
pub(super) fn asset(content: impl Into<bytes::Bytes>, kind: &'static str) -> HttpResponse {
    guarded(&mut HttpResponse::Ok(), POLICY)
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type(kind)
        .body(content.into())
}

/// What every page and its files carry.
fn guarded<'a>(answer: &'a mut HttpResponseBuilder, policy: &str) -> &'a mut HttpResponseBuilder {
    answer
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // Chrome sends `Origin: null` with our own forms under `no-referrer`.
        .insert_header((header::REFERRER_POLICY, "same-origin"))
}

/// A redirect that nobody keeps.
pub(super) fn redirect(status: StatusCode, location: &str) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"));
    match HeaderValue::try_from(location) {
        Ok(location) => answer.insert_header((header::LOCATION, location)).finish(),
        Err(_) => Problem::internal("a location that is no header").error_response(),
    }
}

/// An error of the rules as the visitor of a form reads it.
pub(super) fn trouble(error: &Error, language: Language) -> Trouble {
    match error {
        Error::InvalidCredentials => Trouble::WrongCredentials,
        Error::AccountBlocked => Trouble::Blocked,
        Error::EmailNotVerified => Trouble::NotVerified,
        Error::TooManyAttempts(seconds) => Trouble::TooMany(*seconds),
        Error::Busy => Trouble::Busy,
        Error::InvalidEmail => Trouble::InvalidEmail,
        Error::InvalidUserName => Trouble::InvalidUserName,
        Error::WeakPassword(weak) => Trouble::WeakPassword(match language {
            Language::En => weak.to_string(),
            Language::Zh => in_chinese(weak),
        }),
        Error::AccountExists => Trouble::AccountExists,
        Error::RegistrationClosed => Trouble::RegistrationClosed,
        Error::InvalidLink => Trouble::InvalidLink,
        error if error.status_code() == StatusCode::SERVICE_UNAVAILABLE => Trouble::Unavailable,
        _ => Trouble::Other,
    }
}
