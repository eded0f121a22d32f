//! `OTEL_EXPORTER_OTLP_*` and `OTEL_{TRACES,METRICS,LOGS}_EXPORTER`.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use url::Url;

use super::{InitError, Source};

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }
}

/// How OTLP travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    HttpProtobuf,
}

/// One OTLP destination.
#[derive(Clone, PartialEq)]
pub(crate) struct Exporter {
    pub(crate) protocol: Protocol,
    /// For HTTP with the signal's path.
    pub(crate) endpoint: Url,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeout: Duration,
}

/// Headers hold tokens, so only their names are shown.
impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Exporter")
            .field("protocol", &self.protocol)
            .field("endpoint", &self.endpoint.as_str())
            .field("headers", &names)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// The variables of one signal; each goes before the general one.
struct Variables {
    exporter: &'static str,
    endpoint: &'static str,
    protocol: &'static str,
    headers: &'static str,
    timeout: &'static str,
}

const GENERAL: Variables = Variables {
    exporter: "",
    endpoint: "OTEL_EXPORTER_OTLP_ENDPOINT",
    protocol: "OTEL_EXPORTER_OTLP_PROTOCOL",
    headers: "OTEL_EXPORTER_OTLP_HEADERS",
    timeout: "OTEL_EXPORTER_OTLP_TIMEOUT",
};

fn variables(signal: Signal) -> Variables {
    match signal {
        Signal::Traces => Variables {
            exporter: "OTEL_TRACES_EXPORTER",
            endpoint: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            protocol: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            headers: "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
            timeout: "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
        },
        Signal::Metrics => Variables {
            exporter: "OTEL_METRICS_EXPORTER",
            endpoint: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            protocol: "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
            headers: "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
            timeout: "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
        },
        Signal::Logs => Variables {
            exporter: "OTEL_LOGS_EXPORTER",
            endpoint: "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
            protocol: "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
            headers: "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
            timeout: "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT",
        },
    }
}

/// The destination of `signal`, or `None` if it is not exported.
pub(super) fn read_exporter(
    source: &impl Source,
    signal: Signal,
) -> Result<Option<Exporter>, InitError> {
    let own = variables(signal);
    match source.text(own.exporter).as_deref() {
        None | Some("otlp") => {}
        Some("none") => return Ok(None),
        Some(other) => return Err(InitError::value(own.exporter, other, "otlp or none")),
    }
    let protocol = match read_protocol(source, own.protocol)? {
        Some(protocol) => protocol,
        None => read_protocol(source, GENERAL.protocol)?.unwrap_or(Protocol::Grpc),
    };
    let mut headers = source.pairs(own.headers)?;
    let mut headers_variable = own.headers;
    if headers.is_empty() {
        headers = source.pairs(GENERAL.headers)?;
        headers_variable = GENERAL.headers;
    }
    check_headers(headers_variable, &headers)?;
    let timeout = match source.millis(own.timeout)? {
        Some(timeout) => timeout,
        None => source
            .millis(GENERAL.timeout)?
            .unwrap_or(Duration::from_secs(10)),
    };
    Ok(Some(Exporter {
        protocol,
        endpoint: read_endpoint(source, signal, own.endpoint, protocol)?,
        headers,
        timeout,
    }))
}

fn read_protocol(
    source: &impl Source,
    variable: &'static str,
) -> Result<Option<Protocol>, InitError> {
    match source.text(variable).as_deref() {
        None => Ok(None),
        Some("grpc") => Ok(Some(Protocol::Grpc)),
        Some("http/protobuf") => Ok(Some(Protocol::HttpProtobuf)),
        Some(other) => Err(InitError::value(variable, other, "grpc or http/protobuf")),
    }
}

/// The signal's own endpoint is used as it is; below the general one and below the
/// default, OTLP over HTTP has one path per signal.
fn read_endpoint(
    source: &impl Source,
    signal: Signal,
    own: &'static str,
    protocol: Protocol,
) -> Result<Url, InitError> {
    if let Some(text) = source.text(own) {
        return read_url(own, &text);
    }
    let mut endpoint = match source.text(GENERAL.endpoint) {
        Some(text) => read_url(GENERAL.endpoint, &text)?,
        None => Url::parse(match protocol {
            Protocol::Grpc => "http://localhost:4317",
            Protocol::HttpProtobuf => "http://localhost:4318",
        })
        .expect("both are URLs"),
    };
    if protocol == Protocol::HttpProtobuf {
        let base = endpoint.path().trim_end_matches('/').to_owned();
        endpoint.set_path(&format!("{base}/v1/{}", signal.name()));
    }
    Ok(endpoint)
}

fn read_url(variable: &'static str, text: &str) -> Result<Url, InitError> {
    match Url::parse(text) {
        Ok(url) if url.scheme() == "http" && url.has_host() => Ok(url),
        _ => Err(InitError::value(
            variable,
            text,
            "an http:// URL such as http://localhost:4317 \
             (for TLS, send to a collector on this machine and let it forward)",
        )),
    }
}

fn check_headers(variable: &'static str, headers: &[(String, String)]) -> Result<(), InitError> {
    for (name, value) in headers {
        // OTLP over gRPC wants lower case; over HTTP it makes no difference.
        let valid = HeaderName::try_from(name.to_ascii_lowercase()).is_ok()
            && HeaderValue::try_from(value.as_str()).is_ok();
        if !valid {
            return Err(InitError::value(
                variable,
                &format!("{name}=…"),
                "header names and values that HTTP allows",
            ));
        }
    }
    Ok(())
}
