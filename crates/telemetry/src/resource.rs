//! Who is speaking: the resource that every span, metric and log record bears.
//!
//! What the environment says (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`) goes
//! before what is detected. Detection reads local files and one variable; it never asks
//! the network, so that a start never hangs on a metadata service.

use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::{Resource, resource::TelemetryResourceDetector};
use opentelemetry_semantic_conventions::{
    SCHEMA_URL,
    attribute::{
        CLOUD_PLATFORM, CLOUD_PROVIDER, CONTAINER_ID, DEPLOYMENT_ENVIRONMENT_NAME, HOST_NAME,
        PROCESS_PID, SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION,
    },
};

use crate::{
    Service,
    config::{Config, Source},
};

mod container;

/// The environment when nobody says which: a laptop, where a full trace is welcome.
pub(crate) const DEVELOPMENT: &str = "development";

/// ECS sets it in every task (platform 1.4 and later, EC2 agent 1.39 and later).
const ECS_METADATA: &str = "ECS_CONTAINER_METADATA_URI_V4";

/// Describes this process.
pub(crate) fn detect(service: Service, config: &Config, source: &impl Source) -> Resource {
    let detected = [
        KeyValue::new(SERVICE_NAME, service.name),
        KeyValue::new(SERVICE_VERSION, service.version),
        KeyValue::new(SERVICE_INSTANCE_ID, uuid::Uuid::new_v4().to_string()),
        KeyValue::new(DEPLOYMENT_ENVIRONMENT_NAME, DEVELOPMENT),
        KeyValue::new(PROCESS_PID, i64::from(std::process::id())),
    ];
    let host = hostname::get()
        .ok()
        .and_then(|name| name.into_string().ok())
        .map(|name| KeyValue::new(HOST_NAME, name));
    let container = container::id().map(|id| KeyValue::new(CONTAINER_ID, id));
    let configured = config
        .resource_attributes
        .iter()
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let named = config
        .service_name
        .iter()
        .map(|name| KeyValue::new(SERVICE_NAME, name.clone()));
    // Of two attributes with the same key the later one wins.
    Resource::builder_empty()
        .with_schema_url([], SCHEMA_URL)
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(detected)
        .with_attributes(host)
        .with_attributes(container)
        .with_attributes(ecs(source))
        .with_attributes(configured)
        .with_attributes(named)
        .build()
}

/// Whether `resource` says this is a development machine.
pub(crate) fn is_development(resource: &Resource) -> bool {
    resource.get(&DEPLOYMENT_ENVIRONMENT_NAME.into()) == Some(Value::from(DEVELOPMENT))
}

/// What the presence of the ECS metadata address tells without asking it. The task's
/// ARN and family are on the other side of an HTTP request; the collector's
/// `resourcedetection` processor adds them where it runs beside the service.
fn ecs(source: &impl Source) -> Vec<KeyValue> {
    let Some(uri) = source.text(ECS_METADATA) else {
        return Vec::new();
    };
    let mut attributes = vec![
        KeyValue::new(CLOUD_PROVIDER, "aws"),
        KeyValue::new(CLOUD_PLATFORM, "aws_ecs"),
    ];
    attributes.extend(ecs_container_id(&uri).map(|id| KeyValue::new(CONTAINER_ID, id)));
    attributes
}

/// The container's id, which ends the metadata address:
/// `http://169.254.170.2/v4/<id>`.
fn ecs_container_id(uri: &str) -> Option<String> {
    let (_, id) = uri.trim_end_matches('/').rsplit_once("/v4/")?;
    let valid = id.len() >= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    valid.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: Service = Service {
        name: "orders",
        version: "1.2.3",
    };

    fn detected(variables: &[(&str, &str)]) -> Resource {
        let source = |wanted: &str| {
            variables
                .iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| (*value).to_owned())
        };
        detect(SERVICE, &Config::read(&source).unwrap(), &source)
    }

    #[track_caller]
    fn text(resource: &Resource, key: &'static str) -> String {
        resource.get(&key.into()).expect(key).as_str().into_owned()
    }

    #[test]
    fn a_service_is_named_and_told_apart_from_its_siblings() {
        let (one, other) = (detected(&[]), detected(&[]));
        assert_eq!(text(&one, SERVICE_NAME), "orders");
        assert_eq!(text(&one, SERVICE_VERSION), "1.2.3");
        assert_ne!(
            text(&one, SERVICE_INSTANCE_ID),
            text(&other, SERVICE_INSTANCE_ID)
        );
        assert_eq!(text(&one, PROCESS_PID), std::process::id().to_string());
        assert_eq!(text(&one, "telemetry.sdk.language"), "rust");
        assert!(!text(&one, HOST_NAME).is_empty());
    }

    #[test]
    fn without_a_word_this_is_development() {
        assert!(is_development(&detected(&[])));
        let production = [(
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=production",
        )];
        assert!(!is_development(&detected(&production)));
    }

    #[test]
    fn the_environment_goes_before_what_is_detected() {
        let resource = detected(&[
            ("OTEL_SERVICE_NAME", "orders-eu"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.name=ignored,service.namespace=shop,service.instance.id=a1",
            ),
        ]);
        assert_eq!(text(&resource, SERVICE_NAME), "orders-eu");
        assert_eq!(text(&resource, "service.namespace"), "shop");
        assert_eq!(text(&resource, SERVICE_INSTANCE_ID), "a1");
    }

    #[test]
    fn an_ecs_task_is_recognised_by_its_metadata_address() {
        let id = "f07ed68a68b7454ca03e8bcd9aec7cb4-1234567890";
        let uri = format!("http://169.254.170.2/v4/{id}");
        let resource = detected(&[(ECS_METADATA, &uri)]);
        assert_eq!(text(&resource, CLOUD_PLATFORM), "aws_ecs");
        assert_eq!(text(&resource, CONTAINER_ID), id);
        assert_eq!(ecs_container_id("http://169.254.170.2/v4/short"), None);
        assert_eq!(ecs_container_id("nonsense"), None);
    }
}
