//! Settings: flags, `TRACEBOX_*` variables, and the defaults of both.

use std::net::{Ipv4Addr, SocketAddr};

/// Where tracebox listens and how much it keeps.
///
/// Every address is on loopback unless told otherwise: there is no authentication.
/// Port 0 takes a free port; [`Running`](crate::Running) says which.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "tracebox",
    version,
    about = "A small trace store: OTLP in, Tempo's read API out"
)]
pub struct Config {
    /// Address for OTLP over gRPC.
    #[arg(long, env = "TRACEBOX_OTLP_GRPC", default_value_t = loopback(4317))]
    pub otlp_grpc: SocketAddr,

    /// Address for OTLP over HTTP (`/v1/traces`, `/v1/logs`, `/v1/metrics`).
    #[arg(long, env = "TRACEBOX_OTLP_HTTP", default_value_t = loopback(4318))]
    pub otlp_http: SocketAddr,

    /// Address of the query API, in Tempo's shapes.
    #[arg(long, env = "TRACEBOX_HTTP", default_value_t = loopback(3200))]
    pub http: SocketAddr,

    /// Approximate memory for stored traces, like `268435456`, `256MiB` or `1GiB`. The oldest leave first.
    #[arg(long, env = "TRACEBOX_MAX_MEMORY", default_value = "256MiB", value_parser = parse_size)]
    pub max_memory: usize,

    /// Largest export request after decompression, like `16MiB`.
    #[arg(long, env = "TRACEBOX_MAX_REQUEST", default_value = "16MiB", value_parser = parse_size)]
    pub max_request: usize,

    /// Most spans kept of one trace; what comes after is refused.
    #[arg(long, env = "TRACEBOX_MAX_SPANS_PER_TRACE", default_value_t = 100_000)]
    pub max_spans_per_trace: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            otlp_grpc: loopback(4317),
            otlp_http: loopback(4318),
            http: loopback(3200),
            max_memory: 256 << 20,
            max_request: 16 << 20,
            max_spans_per_trace: 100_000,
        }
    }
}

impl Config {
    /// The defaults on free loopback ports: for tests and for embedding.
    #[must_use]
    pub fn on_free_ports() -> Self {
        Self {
            otlp_grpc: loopback(0),
            otlp_http: loopback(0),
            http: loopback(0),
            ..Self::default()
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn parse_size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let scale: usize = match text[digits.len()..].trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        unit => return Err(format!("unknown unit `{unit}`: use B, KiB, MiB or GiB")),
    };
    let number: usize = digits
        .parse()
        .map_err(|_| format!("`{text}` is not a size like `256MiB`"))?;
    number
        .checked_mul(scale)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("`{text}` is out of range"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn the_flags_have_the_defaults_of_the_library() {
        let parsed = Config::parse_from(["tracebox"]);
        assert_eq!(format!("{parsed:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("512"), Ok(512));
        assert_eq!(parse_size("2 KiB"), Ok(2048));
        assert_eq!(parse_size("1GiB"), Ok(1 << 30));
        assert!(parse_size("0").is_err());
        assert!(parse_size("1MB").unwrap_err().contains("MiB"));
        assert!(parse_size("99999999999999GiB").is_err());
    }
}
