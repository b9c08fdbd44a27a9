//! What a service counts about itself, in a registry of its own.
//!
//! There is no global registry: two services in one process do not see each other's numbers, and
//! a test starts from zero. A service registers its own metrics in [`Metrics::registry`].

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

pub use prometheus;

/// The media type of what [`Metrics::render`] returns.
pub const TEXT_FORMAT: &str = prometheus::TEXT_FORMAT;

/// Seconds: most answers take less than a millisecond, a log-in tens of them.
const BUCKETS: [f64; 11] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0,
];

/// The numbers that both services have. Put it into `web::Data`; [`crate::http::finish`] records
/// every request.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    refused: IntCounterVec,
}

impl Metrics {
    /// Makes the registry of a service.
    ///
    /// # Errors
    /// Never in practice: if a metric's name were wrong or taken.
    pub fn new(service: &str, version: &str) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("http_requests_total", "Requests that were answered"),
            &["route", "method", "status"],
        )?;
        let durations = HistogramVec::new(
            HistogramOpts::new("http_request_duration_seconds", "Time from head to answer")
                .buckets(BUCKETS.to_vec()),
            &["route", "method"],
        )?;
        let refused = IntCounterVec::new(
            Opts::new(
                "keyturn_tokens_refused_total",
                "Access tokens that were refused",
            ),
            &["code"],
        )?;
        let build = IntGaugeVec::new(
            Opts::new("keyturn_build_info", "The service and its version"),
            &["service", "version"],
        )?;
        build.with_label_values(&[service, version]).set(1);
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(durations.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        registry.register(Box::new(build))?;
        Ok(Self {
            registry,
            requests,
            durations,
            refused,
        })
    }

    /// Where a service registers metrics of its own.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Registers a number that goes up and down, and is read when the metrics are.
    ///
    /// # Errors
    /// If the name is wrong or taken.
    pub fn gauge(
        &self,
        name: &str,
        help: &str,
        read: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        let opts = Opts::new(name, help);
        let read = move || {
            let gauge = IntGauge::with_opts(opts.clone())?;
            gauge.set(read());
            Ok(gauge.collect())
        };
        let example = IntGauge::new(name, help)?;
        self.registry
            .register(Box::new(WhenRead::new(&example, read)))
    }

    /// Registers a number that only grows and is counted elsewhere, and is read when the metrics are.
    ///
    /// # Errors
    /// If the name is wrong or taken.
    pub fn counter(
        &self,
        name: &str,
        help: &str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        let opts = Opts::new(name, help);
        let read = move || {
            let counter = IntCounter::with_opts(opts.clone())?;
            counter.inc_by(read());
            Ok(counter.collect())
        };
        let example = IntCounter::new(name, help)?;
        self.registry
            .register(Box::new(WhenRead::new(&example, read)))
    }

    /// All numbers in the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            log::error!("the metrics cannot be written: {error}");
        }
        text
    }

    /// Counts one answer.
    pub(crate) fn record(
        &self,
        route: &str,
        method: &Method,
        status: StatusCode,
        code: Option<&'static str>,
        took: Duration,
    ) {
        let method = label(method);
        self.requests
            .with_label_values(&[route, method, status.as_str()])
            .inc();
        self.durations
            .with_label_values(&[route, method])
            .observe(took.as_secs_f64());
        if let Some(code) = code.filter(|code| code.starts_with("token_")) {
            self.refused.with_label_values(&[code]).inc();
        }
    }
}

type Read = Box<dyn Fn() -> Result<Vec<MetricFamily>, prometheus::Error> + Send + Sync>;

/// A metric that has no value of its own. Copied into one of the library's at every scrape, two scrapes at once
/// would each add what had come since the last.
struct WhenRead {
    desc: Vec<Desc>,
    read: Read,
}

impl WhenRead {
    fn new(
        example: &impl Collector,
        read: impl Fn() -> Result<Vec<MetricFamily>, prometheus::Error> + Send + Sync + 'static,
    ) -> Self {
        Self {
            desc: example.desc().into_iter().cloned().collect(),
            read: Box::new(read),
        }
    }
}

impl Collector for WhenRead {
    fn desc(&self) -> Vec<&Desc> {
        self.desc.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // The same names and labels were good when it was registered.
        (self.read)().unwrap_or_default()
    }
}

/// A client must not be able to make up labels: methods are free text.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_scrapes_at_once_count_nothing_twice() {
        let metrics = Metrics::new("test", "1.2.3").unwrap();
        metrics.counter("answers_total", "Answers", || 7).unwrap();
        metrics.gauge("age_seconds", "Age", || -1).unwrap();
        assert!(metrics.gauge("age_seconds", "Age", || 0).is_err());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let text = String::from_utf8(metrics.render()).unwrap();
                    assert!(text.contains("# TYPE answers_total counter\nanswers_total 7\n"));
                    assert!(text.contains("# TYPE age_seconds gauge\nage_seconds -1\n"));
                });
            }
        });
    }

    #[test]
    fn requests_and_refusals_are_counted() {
        let metrics = Metrics::new("test", "1.2.3").unwrap();
        let took = Duration::from_millis(2);
        let count = |method: &str, status, code| {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            metrics.record("/api/home", &method, status, code, took);
        };
        count("GET", StatusCode::OK, None);
        count("GET", StatusCode::UNAUTHORIZED, Some("token_expired"));
        count(
            "BREW",
            StatusCode::METHOD_NOT_ALLOWED,
            Some("method_not_allowed"),
        );
        let text = String::from_utf8(metrics.render()).unwrap();
        for line in [
            r#"http_requests_total{method="GET",route="/api/home",status="200"} 1"#,
            r#"http_requests_total{method="other",route="/api/home",status="405"} 1"#,
            r#"http_request_duration_seconds_bucket{method="GET",route="/api/home",le="0.0025"} 2"#,
            r#"keyturn_tokens_refused_total{code="token_expired"} 1"#,
            r#"keyturn_build_info{service="test",version="1.2.3"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("method_not_allowed"));
    }
}
