//! What can be asked of a stack that runs, and how it is written in a line.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;

use crate::services::Service;

/// What one service shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Stop(Service),
    Start(Service),
}

impl Request {
    pub(super) fn service(self) -> Service {
        match self {
            Self::Stop(service) | Self::Start(service) => service,
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop(service) => write!(f, "stop {service}"),
            Self::Start(service) => write!(f, "start {service}"),
        }
    }
}

impl FromStr for Request {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> anyhow::Result<Self> {
        match line.split_once(' ') {
            Some(("stop", service)) => Ok(Self::Stop(service.parse()?)),
            Some(("start", service)) => Ok(Self::Start(service.parse()?)),
            _ => bail!("a request is `stop SERVICE` or `start SERVICE`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_as_it_was_written() {
        for service in Service::ALL {
            for request in [Request::Stop(service), Request::Start(service)] {
                let line = request.to_string();
                assert_eq!(line.parse::<Request>().unwrap(), request);
            }
        }
        assert!("stop".parse::<Request>().is_err());
        assert!("stop postgres".parse::<Request>().is_err());
        assert!("kill orders".parse::<Request>().is_err());
    }
}
