//! The five services: their binaries, their ports, and the settings that tie them together.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use anyhow::{Context, bail};
use url::Url;

use crate::ports::loopback;

/// One of the five, in the order of their dependencies: each needs only those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    ProcessorSandbox,
    Pricing,
    Inventory,
    Payment,
    Orders,
}

impl Service {
    pub const ALL: [Self; 5] = [
        Self::ProcessorSandbox,
        Self::Pricing,
        Self::Inventory,
        Self::Payment,
        Self::Orders,
    ];

    /// The name of the binary and of the service in traces.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProcessorSandbox => "processor-sandbox",
            Self::Pricing => "pricing",
            Self::Inventory => "inventory",
            Self::Payment => "payment",
            Self::Orders => "orders",
        }
    }

    /// The documented port.
    pub fn port(self) -> u16 {
        match self {
            Self::ProcessorSandbox => 8090,
            Self::Pricing => 50051,
            Self::Inventory => 8081,
            Self::Payment => 50052,
            Self::Orders => 8080,
        }
    }

    /// What its variables begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::ProcessorSandbox => "SANDBOX",
            Self::Pricing => "PRICING",
            Self::Inventory => "INVENTORY",
            Self::Payment => "PAYMENT",
            Self::Orders => "ORDERS",
        }
    }

    /// Its schema in Postgres, if it stores anything.
    pub fn schema(self) -> Option<&'static str> {
        match self {
            Self::ProcessorSandbox => None,
            Self::Pricing | Self::Inventory | Self::Payment | Self::Orders => Some(self.name()),
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Service {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|service| service.name() == name) {
            Some(service) => Ok(service),
            None => bail!(
                "there is no service `{name}`: it is one of {}",
                Self::ALL.map(Self::name).join(", ")
            ),
        }
    }
}

/// What the services are told about the world around them.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) database_urls: BTreeMap<Service, Url>,
    pub(crate) redis_url: Url,
    /// The AWS variables, if the endpoint is ours.
    pub(crate) queues: Vec<(String, String)>,
    pub(crate) collector: String,
    /// Key of the pseudonyms in traces, new for each stack.
    pub(crate) pseudonym_key: String,
}

impl Surroundings {
    /// The variables of one service that shall listen on `port`. The services that it calls
    /// must have an address already.
    pub(crate) fn env(
        &self,
        service: Service,
        port: u16,
        addresses: &BTreeMap<Service, SocketAddr>,
    ) -> anyhow::Result<Vec<(String, String)>> {
        let mut env = Variables::of(service);
        env.set("LISTEN", &loopback(port));
        if let Some(url) = self.database_urls.get(&service) {
            env.set("DATABASE_URL", url);
        }
        let address = |neighbour: Service| -> anyhow::Result<String> {
            let address = addresses.get(&neighbour).with_context(|| {
                format!("{service} needs {neighbour}, which has no address yet")
            })?;
            Ok(format!("http://{address}"))
        };
        match service {
            Service::ProcessorSandbox => {}
            Service::Pricing => env.set("REDIS_URL", &self.redis_url),
            Service::Inventory => {
                env.set("REDIS_URL", &self.redis_url);
                env.set("PRICING_URL", &address(Service::Pricing)?);
            }
            Service::Payment => {
                env.set("PROCESSOR_URL", &address(Service::ProcessorSandbox)?);
                env.set("PROCESSOR_KEY", &"sk_test_sandbox");
            }
            Service::Orders => {
                env.set("INVENTORY_URL", &address(Service::Inventory)?);
                env.set("PAYMENT_URL", &address(Service::Payment)?);
                env.set("PSEUDONYM_KEY", &self.pseudonym_key);
            }
        }
        let mut all = env.0;
        all.extend(self.queues.iter().cloned());
        all.extend(self.telemetry_env());
        Ok(all)
    }

    /// Spans leave quickly, so that a tree can be looked at a moment after its request, and
    /// a burst of checkouts fits into the queue.
    fn telemetry_env(&self) -> impl Iterator<Item = (String, String)> {
        [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.collector.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_BSP_SCHEDULE_DELAY", "200"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "16384"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.namespace=spantree,deployment.environment.name=development",
            ),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into_iter()
    }
}

/// Variables of one service, named with its prefix.
struct Variables(Vec<(String, String)>, &'static str);

impl Variables {
    fn of(service: Service) -> Self {
        Self(Vec::new(), service.prefix())
    }

    fn set(&mut self, name: &str, value: &dyn fmt::Display) {
        self.0
            .push((format!("{}_{name}", self.1), value.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings() -> Surroundings {
        let url = |schema| {
            Url::parse(&format!(
                "postgres://p@127.0.0.1:5432/d?options=-csearch_path%3D{schema}"
            ))
            .unwrap()
        };
        Surroundings {
            database_urls: Service::ALL
                .into_iter()
                .filter_map(|service| Some((service, url(service.schema()?))))
                .collect(),
            redis_url: Url::parse("redis://127.0.0.1:6379/3").unwrap(),
            queues: vec![("AWS_REGION".to_owned(), "us-east-1".to_owned())],
            collector: "http://127.0.0.1:4317".to_owned(),
            pseudonym_key: "k".to_owned(),
        }
    }

    #[test]
    fn a_service_is_told_the_addresses_of_those_it_calls() {
        let addresses = Service::ALL
            .into_iter()
            .map(|service| (service, loopback(service.port())))
            .collect();
        let env: BTreeMap<_, _> = surroundings()
            .env(Service::Orders, 0, &addresses)
            .unwrap()
            .into_iter()
            .collect();
        assert_eq!(env["ORDERS_LISTEN"], "127.0.0.1:0");
        assert_eq!(env["ORDERS_INVENTORY_URL"], "http://127.0.0.1:8081");
        assert_eq!(env["ORDERS_PAYMENT_URL"], "http://127.0.0.1:50052");
        assert!(env["ORDERS_DATABASE_URL"].ends_with("search_path%3Dorders"));
        assert_eq!(env["OTEL_EXPORTER_OTLP_ENDPOINT"], "http://127.0.0.1:4317");
        assert_eq!(env["AWS_REGION"], "us-east-1");
    }

    #[test]
    fn every_service_needs_only_those_that_start_before_it() {
        let mut addresses = BTreeMap::new();
        for service in Service::ALL {
            surroundings().env(service, 0, &addresses).unwrap();
            addresses.insert(service, loopback(service.port()));
        }
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_ones() {
        let error = "billing".parse::<Service>().unwrap_err().to_string();
        assert!(error.contains("`billing`") && error.contains("processor-sandbox"));
        assert_eq!("payment".parse::<Service>().unwrap(), Service::Payment);
    }
}
