//! Where spans come from: a resource and an instrumentation scope, stored once
//! and counted by the spans that refer to them.

use std::collections::HashMap;
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SourceId(u32);

/// One resource with one scope. The span lists inside stay empty.
pub(crate) struct Source {
    pub(crate) resource: ResourceSpans,
    pub(crate) scope: ScopeSpans,
    pub(crate) service: String,
    key: Arc<[u8]>,
    resource_length: usize,
    references: usize,
}

impl Source {
    /// Equal for all scopes of one resource.
    pub(super) fn resource_key(&self) -> &[u8] {
        &self.key[..self.resource_length]
    }

    pub(crate) fn resource_attributes(&self) -> &[KeyValue] {
        self.resource
            .resource
            .as_ref()
            .map_or(&[], |resource| &resource.attributes)
    }

    fn cost(&self) -> usize {
        // The encoded key, and the decoded form, which takes about three times as much.
        256 + 4 * self.key.len()
    }
}

#[derive(Default)]
pub(crate) struct Sources {
    slots: Vec<Option<Source>>,
    free: Vec<u32>,
    index: HashMap<Arc<[u8]>, SourceId>,
    bytes: usize,
}

impl Sources {
    /// Shares the pair and takes one reference to it. `resource_key` is the encoded resource.
    pub(super) fn acquire(
        &mut self,
        resource_key: &[u8],
        resource: &ResourceSpans,
        scope: &ScopeSpans,
    ) -> SourceId {
        let mut key = resource_key.to_vec();
        scope
            .encode(&mut key)
            .expect("a vector grows to what a message needs");
        if let Some(&id) = self.index.get(key.as_slice()) {
            self.retain(id);
            return id;
        }
        let key: Arc<[u8]> = Arc::from(key);
        let source = Source {
            service: service_name(resource),
            resource: resource.clone(),
            scope: scope.clone(),
            key: Arc::clone(&key),
            resource_length: resource_key.len(),
            references: 1,
        };
        self.bytes += source.cost();
        let id = if let Some(number) = self.free.pop() {
            self.slots[number as usize] = Some(source);
            SourceId(number)
        } else {
            let number = u32::try_from(self.slots.len())
                .expect("memory is bounded far below four billion sources");
            self.slots.push(Some(source));
            SourceId(number)
        };
        self.index.insert(key, id);
        id
    }

    pub(super) fn retain(&mut self, id: SourceId) {
        if let Some(Some(source)) = self.slots.get_mut(id.0 as usize) {
            source.references += 1;
        }
    }

    pub(super) fn release(&mut self, id: SourceId) {
        let Some(place) = self.slots.get_mut(id.0 as usize) else {
            return;
        };
        let Some(source) = place else {
            return;
        };
        source.references -= 1;
        if source.references > 0 {
            return;
        }
        self.bytes -= source.cost();
        self.index.remove(&source.key);
        *place = None;
        self.free.push(id.0);
    }

    pub(crate) fn get(&self, id: SourceId) -> &Source {
        self.slots[id.0 as usize]
            .as_ref()
            .expect("a span holds a reference to its source")
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn service_name(resource: &ResourceSpans) -> String {
    let attributes = resource.resource.iter().flat_map(|r| &r.attributes);
    for attribute in attributes {
        if attribute.key == "service.name"
            && let Some(Value::StringValue(name)) =
                attribute.value.as_ref().and_then(|v| v.value.as_ref())
        {
            return name.clone();
        }
    }
    "unknown_service".to_owned()
}
