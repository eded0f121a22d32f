//! The store by itself: what is kept, what is refused, what leaves, what it costs.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use proptest::prelude::*;

use super::*;

const ROOMY: Limits = Limits {
    max_memory: 64 << 20,
    max_spans_per_trace: 100_000,
};

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn span(trace: u64, id: u64, parent: u64) -> Span {
    let mut trace_id = vec![0; 8];
    trace_id.extend(trace.to_be_bytes());
    Span {
        trace_id,
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: if parent == 0 {
            Vec::new()
        } else {
            parent.to_be_bytes().to_vec()
        },
        name: "POST /checkout".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_000 + id,
        end_time_unix_nano: 2_000 + id,
        ..Span::default()
    }
}

fn export(service: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![text("service.name", service)],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

fn id(trace: u64) -> TraceId {
    TraceId::parse(&format!("{trace:x}")).unwrap()
}

#[test]
fn everything_of_a_span_comes_back() {
    let store = Store::new(ROOMY);
    let nested = Value::KvlistValue(KeyValueList {
        values: vec![attribute(
            "list",
            Value::ArrayValue(ArrayValue {
                values: vec![AnyValue {
                    value: Some(Value::IntValue(i64::MIN)),
                }],
            }),
        )],
    });
    let mut sent = span(7, 9, 3);
    sent.flags = 0x301;
    sent.trace_state = "a=b".to_owned();
    sent.status = Some(Status {
        code: 2,
        message: "declined".to_owned(),
    });
    sent.attributes = vec![
        text("tenant.id", "acme"),
        attribute("int", Value::IntValue(-3)),
        attribute("double", Value::DoubleValue(0.25)),
        attribute("yes", Value::BoolValue(true)),
        attribute("no", Value::BoolValue(false)),
        attribute("bytes", Value::BytesValue(vec![0, 255])),
        attribute("nested", nested),
    ];
    sent.dropped_attributes_count = 1;
    sent.dropped_events_count = 2;
    sent.dropped_links_count = 3;
    sent.events = vec![span::Event {
        // Before the start of its span: clocks may do that.
        time_unix_nano: 5,
        name: "cache miss".to_owned(),
        attributes: vec![text("cache.key", "item_42")],
        dropped_attributes_count: 4,
    }];
    sent.links = vec![span::Link {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        trace_state: String::new(),
        attributes: vec![text("k", "v")],
        dropped_attributes_count: 0,
        flags: 1,
    }];
    let request = export("orders", vec![sent]);
    assert_eq!(store.ingest(request.clone()).stored, 1);
    assert_eq!(
        store.trace(id(7)).unwrap().resource_spans,
        request.resource_spans
    );
}

#[test]
fn spans_are_grouped_by_resource_and_scope() {
    let store = Store::new(ROOMY);
    store.ingest(export("orders", vec![span(1, 1, 0)]));
    store.ingest(export("payment", vec![span(1, 2, 1)]));
    store.ingest(export("orders", vec![span(1, 3, 1)]));
    let trace = store.trace(id(1)).unwrap();
    let sizes: Vec<_> = trace
        .resource_spans
        .iter()
        .map(|resource| resource.scope_spans[0].spans.len())
        .collect();
    assert_eq!(sizes, [2, 1]);
}

#[test]
fn a_span_sent_again_is_stored_once_in_small_and_large_traces() {
    for count in [3, 500] {
        let store = Store::new(ROOMY);
        let spans: Vec<_> = (1..=count).map(|id| span(1, id, 0)).collect();
        store.ingest(export("orders", spans.clone()));
        let again = store.ingest(export("orders", spans));
        assert_eq!(again.stored, 0);
        assert_eq!(again.duplicates, count as usize);
        assert_eq!(again.rejected, 0);
        assert_eq!(store.figures().spans, count as usize);
    }
}

#[test]
fn a_span_id_used_for_another_span_is_kept() {
    let store = Store::new(ROOMY);
    let mut other = span(1, 1, 0);
    other.name = "another".to_owned();
    let ingested = store.ingest(export("orders", vec![span(1, 1, 0), other]));
    assert_eq!(ingested.stored, 2);
}

#[test]
fn invalid_ids_are_refused_one_by_one() {
    let store = Store::new(ROOMY);
    let mut spans = vec![span(1, 1, 0); 5];
    spans[0].trace_id = vec![0; 16];
    spans[1].trace_id = vec![1; 15];
    spans[2].span_id = vec![0; 8];
    spans[3].parent_span_id = vec![1; 3];
    let ingested = store.ingest(export("orders", spans));
    assert_eq!((ingested.stored, ingested.rejected), (1, 4));
    assert_eq!(ingested.message, "trace id is not 16 bytes or is all zero");
    assert_eq!(store.figures().spans_refused_invalid, 4);
}

#[test]
fn a_parent_of_zeros_is_no_parent() {
    let store = Store::new(ROOMY);
    let mut root = span(1, 1, 0);
    root.parent_span_id = vec![0; 8];
    assert_eq!(store.ingest(export("orders", vec![root])).stored, 1);
    let trace = store.trace(id(1)).unwrap();
    let stored = &trace.resource_spans[0].scope_spans[0].spans[0];
    assert!(stored.parent_span_id.is_empty());
}

#[test]
fn a_trace_takes_so_many_spans_and_no_more() {
    let store = Store::new(Limits {
        max_spans_per_trace: 10,
        ..ROOMY
    });
    let spans = (1..=15).map(|id| span(1, id, 0)).collect();
    let ingested = store.ingest(export("orders", spans));
    assert_eq!((ingested.stored, ingested.rejected), (10, 5));
    assert!(ingested.message.contains("trace is full"));
    assert_eq!(store.figures().spans_refused_full, 5);
    let other = store.ingest(export("orders", vec![span(2, 1, 0)]));
    assert_eq!(other.stored, 1);
}

#[test]
fn one_trace_cannot_take_all_the_memory() {
    let limits = Limits {
        max_memory: 1 << 20,
        ..ROOMY
    };
    let store = Store::new(limits);
    store.ingest(export("orders", vec![span(2, 1, 0)]));
    let spans = (1..=20_000).map(|id| span(1, id, 0)).collect();
    assert!(store.ingest(export("orders", spans)).rejected > 0);
    assert!(
        store.trace(id(2)).is_some(),
        "a large trace evicts no other"
    );

    let mut huge = span(3, 1, 0);
    huge.attributes = vec![text("blob", &"x".repeat(1 << 20))];
    assert_eq!(store.ingest(export("orders", vec![huge])).rejected, 1);
}

#[test]
fn the_oldest_trace_leaves_and_a_trace_that_grows_is_young() {
    let limits = Limits {
        max_memory: 256 << 10,
        ..ROOMY
    };
    let store = Store::new(limits);
    let mut number = 1;
    store.ingest(export("orders", vec![span(1, 1, 0)]));
    while store.figures().traces_evicted == 0 {
        number += 1;
        let mut unique = span(number, 1, 0);
        unique.name = format!("name {number}");
        unique.attributes = vec![text("order.id", &format!("ord_{number:032}"))];
        store.ingest(export("orders", vec![unique]));
        store.ingest(export("orders", vec![span(1, number, 1)]));
        assert!(store.figures().bytes <= limits.max_memory);
        assert!(number < 10_000, "nothing is ever evicted");
    }
    assert!(store.trace(id(1)).is_some());
    assert!(store.trace(id(2)).is_none());
    assert!(store.trace(id(number)).is_some());
}

#[test]
fn evicting_everything_frees_everything() {
    let store = Store::new(ROOMY);
    for trace in 1..200 {
        let mut one = span(trace, 1, 0);
        one.attributes = vec![text("order.id", &format!("ord_{}", trace / 2))];
        one.events = vec![span::Event {
            name: "cache miss".to_owned(),
            attributes: vec![text("cache.key", "item_42")],
            ..span::Event::default()
        }];
        store.ingest(export(&format!("service {}", trace % 3), vec![one]));
    }
    let mut inner = store.write();
    while inner.evict_oldest().is_some() {}
    assert_eq!((inner.bytes(), inner.spans), (0, 0));
}

#[test]
fn a_span_of_the_shop_takes_less_than_400_bytes() {
    let store = Store::new(Limits {
        max_memory: 1 << 30,
        ..ROOMY
    });
    let (traces, per_trace) = (500, 40);
    for trace in 1..=traces {
        let spans = (1..=per_trace)
            .map(|number| {
                let mut one = span(trace, number, number - 1);
                one.name = format!("operation {}", number % 20);
                one.attributes = vec![
                    text("db.system.name", "postgresql"),
                    text("db.namespace", "inventory"),
                    text("db.operation.name", "SELECT"),
                    text("db.collection.name", "inventory"),
                    text("db.query.summary", "SELECT inventory"),
                    text(
                        "db.query.text",
                        "SELECT sku, on_hand FROM inventory WHERE sku = $1",
                    ),
                    text("server.address", "127.0.0.1"),
                    attribute("server.port", Value::IntValue(5432)),
                    attribute("db.response.returned_rows", Value::IntValue(1)),
                    text("tenant.id", "acme"),
                    text(
                        "order.id",
                        &format!("0197{trace:08x}-{number:04x}-7000-8000-abcdef012345"),
                    ),
                    text("thread.name", "tokio-runtime-worker"),
                ];
                one.status = Some(Status::default());
                one
            })
            .collect();
        store.ingest(export("inventory", spans));
    }
    let figures = store.figures();
    let per_span = figures.bytes / figures.spans;
    println!("{per_span} bytes per span");
    assert!(per_span < 400, "{per_span} bytes per span");
}

proptest! {
    #[test]
    fn any_span_is_stored_or_refused_and_comes_back_as_it_was(
        trace_id in proptest::collection::vec(any::<u8>(), 14..18),
        span_id in proptest::collection::vec(any::<u8>(), 7..10),
        name in ".{0,20}",
        times in any::<(u64, u64, u64)>(),
        kind in any::<i32>(),
        values in proptest::collection::vec((".{0,8}", ".{0,12}"), 0..6),
    ) {
        let store = Store::new(ROOMY);
        let one = Span {
            trace_id: trace_id.clone(),
            span_id: span_id.clone(),
            name,
            kind,
            start_time_unix_nano: times.0,
            end_time_unix_nano: times.1,
            attributes: values.iter().map(|(key, value)| text(key, value)).collect(),
            events: vec![span::Event { time_unix_nano: times.2, ..span::Event::default() }],
            ..Span::default()
        };
        let ingested = store.ingest(export("any", vec![one.clone()]));
        let valid = TraceId::from_bytes(&trace_id).filter(|_| SpanId::from_bytes(&span_id).is_some());
        prop_assert_eq!(ingested.stored == 1, valid.is_some());
        if let Some(id) = valid {
            let mut stored = store.trace(id).unwrap();
            let mut stored = stored.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0);
            if !(0..=5).contains(&kind) {
                prop_assert_eq!(stored.kind, 0);
                stored.kind = kind;
            }
            prop_assert_eq!(stored, one);
        }
    }
}
