//! Ways to get spans wrong that neither the compiler nor a look at the code shows. The
//! library's own behaviour is asserted where the trap is in the library, so that an
//! upgrade that mends it is noticed.

use std::{collections::BTreeSet, fs, path::Path};

use opentelemetry::{
    Context, Value,
    context::FutureExt as _,
    global,
    trace::{Status, TraceContextExt as _, Tracer as _},
};
use telemetry::{propagation, testing};
use tracing::{Instrument as _, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

#[tokio::test]
async fn a_name_recorded_after_the_span_was_entered_is_ignored_so_update_the_name() {
    let recorded = testing::trace("test", async {
        let span = tracing::info_span!("early", otel.name = Empty);
        async {
            tracing::Span::current().record("otel.name", "late");
        }
        .instrument(span)
        .await;
        async {
            Context::current().span().update_name("updated");
        }
        .instrument(tracing::info_span!("early"))
        .await;
    })
    .await;
    assert_eq!(recorded.shape(), "test\n  early\n  updated\n");
}

#[tokio::test]
async fn what_goes_out_names_the_opentelemetry_span_though_tracing_knows_nothing_of_it() {
    let recorded = testing::trace("test", async {
        let edge = Context::current_with_span(global::tracer("test").start("edge"));
        async {
            let from_tracing = tracing::Span::current().context();
            assert!(!from_tracing.span().span_context().is_valid());
            let mut headers = http::HeaderMap::new();
            propagation::inject(&Context::current(), &mut headers);
            headers["traceparent"].to_str().unwrap().to_owned()
        }
        .with_context(edge)
        .await
    })
    .await;
    let sent = recorded.result.split('-').nth(2).unwrap();
    assert_eq!(
        sent,
        recorded.span("edge").span_context.span_id().to_string()
    );
}

#[tokio::test]
async fn a_spawned_task_stays_in_the_trace_below_the_innermost_span() {
    let recorded = testing::trace("test", async {
        async {
            let edge = Context::current_with_span(global::tracer("test").start("edge"));
            async {
                let step = async { tracing::info_span!("step").in_scope(|| {}) };
                telemetry::spawn(step).await.unwrap();
            }
            .with_context(edge)
            .await;
        }
        .instrument(tracing::info_span!("business"))
        .await;
    })
    .await;
    assert_eq!(recorded.shape(), "test\n  business\n    edge\n      step\n");
}

#[tokio::test]
async fn a_span_made_before_its_context_is_active_is_a_second_root_so_make_it_inside() {
    testing::install();
    let recorded = testing::trace("test", async {
        let parent = Context::current();
        telemetry::spawn_detached(async {
            // The order that looks right and is wrong: the macro runs here and now.
            async {}
                .instrument(tracing::info_span!("lost"))
                .with_context(parent.clone())
                .await;
            async { async {}.instrument(tracing::info_span!("kept")).await }
                .with_context(parent)
                .await;
        })
        .await
        .unwrap();
    })
    .await;
    assert_eq!(recorded.shape(), "test\n  kept\n");
}

#[tokio::test]
async fn blocking_work_stays_in_the_trace() {
    let recorded = testing::trace("test", async {
        telemetry::spawn_blocking(|| tracing::info_span!("render").in_scope(|| 7))
            .await
            .unwrap()
    })
    .await;
    assert_eq!(recorded.result, 7);
    assert_eq!(recorded.shape(), "test\n  render\n");
}

#[tokio::test]
async fn detached_work_starts_a_trace_of_its_own() {
    let recorded = testing::trace("test", async {
        let current = telemetry::spawn_detached(async { telemetry::current_trace_id() });
        current.await.unwrap()
    })
    .await;
    assert_eq!(recorded.result, None);
}

#[tokio::test]
async fn a_field_that_was_not_declared_is_dropped_without_a_word() {
    let recorded = testing::trace("test", async {
        let span = tracing::info_span!("step", order.item_count = Empty);
        span.record("order.item_count", 3_i64);
        span.record("order.id", "o1");
    })
    .await;
    let keys: Vec<_> = recorded
        .span("step")
        .attributes
        .iter()
        .map(|kv| kv.key.as_str())
        .collect();
    assert_eq!(keys, ["order.item_count"]);
}

/// The text check that goes with the trap above: a key that is recorded stands in the
/// `fields(…)` of a span in the same file.
#[test]
fn every_recorded_key_is_declared_in_its_file() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut undeclared = BTreeSet::new();
    let mut folders = vec![workspace.join("crates"), workspace.join("loadgen")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("tests") && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                for key in recorded_keys(&text) {
                    let declared = [" =", ",", "\n", ")"].map(|end| format!("{key}{end}"));
                    if !declared.iter().any(|declared| text.contains(declared)) {
                        undeclared.insert(format!("{}: {key}", path.display()));
                    }
                }
            }
        }
    }
    assert!(
        undeclared.is_empty(),
        "recorded but not declared: {undeclared:#?}"
    );
}

fn recorded_keys(text: &str) -> Vec<&str> {
    text.split(".record(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

#[tokio::test]
async fn an_unsigned_field_becomes_text_so_cast_it() {
    let recorded = testing::trace("test", async {
        let available = 7_u64;
        tracing::info_span!("uncast", inventory.items_available = available).in_scope(|| {});
        tracing::info_span!("cast", inventory.items_available = available as i64).in_scope(|| {});
    })
    .await;
    let value = |span| testing::attribute(recorded.span(span), "inventory.items_available");
    assert_eq!(value("uncast"), Some(&Value::from("7")));
    assert_eq!(value("cast"), Some(&Value::I64(7)));
}

#[tokio::test]
async fn an_error_in_the_log_leaves_the_span_as_it_is() {
    let recorded = testing::trace("test", async {
        async {
            tracing::error!("the cache is cold, going on");
        }
        .instrument(tracing::info_span!("step"))
        .await;
    })
    .await;
    assert_eq!(recorded.span("step").status, Status::Unset);
    assert!(recorded.span("step").events.is_empty());
}
