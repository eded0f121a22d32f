//! The tree as people see it.

use trace_tree::{
    SlowMark, Status, TraceTree,
    render::{self, Options, ShapeOptions},
    slow::Reason,
};

use crate::support::{Trace, checkout, small_checkout, span_id, trace_id};

fn slow_inventory(tree: &TraceTree) -> SlowMark {
    let span = tree
        .find(|span| span.name == "SELECT inventory")
        .expect("the query is there");
    let reason = Reason::UsuallyTakes {
        self_nanos: 212_000_000,
        median_nanos: 6_100_000,
        samples: 24,
    };
    SlowMark { span, reason }
}

#[test]
fn the_small_checkout_is_the_tree_of_the_readme() {
    let tree = small_checkout().tree();
    insta::assert_snapshot!(render::lines(
        &tree,
        &Options {
            width: 80,
            ..Options::default()
        }
    ));
}

#[test]
fn a_folded_checkout_at_80_columns() {
    let tree = checkout().tree();
    let mark = slow_inventory(&tree);
    let options = Options {
        width: 80,
        slow: Some(&mark),
        ..Options::default()
    };
    insta::assert_snapshot!(render::text(&tree, &options));
}

#[test]
fn a_folded_checkout_at_120_columns() {
    let tree = checkout().tree();
    let mark = slow_inventory(&tree);
    let options = Options {
        width: 120,
        slow: Some(&mark),
        ..Options::default()
    };
    insta::assert_snapshot!(render::text(&tree, &options));
}

#[test]
fn a_folded_checkout_in_colour_says_the_same() {
    let tree = checkout().tree();
    let mark = slow_inventory(&tree);
    let plain = Options {
        width: 120,
        slow: Some(&mark),
        ..Options::default()
    };
    let coloured = render::text(
        &tree,
        &Options {
            color: true,
            ..plain
        },
    );
    insta::assert_snapshot!(coloured.replace('\u{1b}', "␛"));
    assert_eq!(without_colours(&coloured), render::text(&tree, &plain));
}

fn without_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut parts = text.split('\u{1b}');
    plain.extend(parts.next());
    for part in parts {
        let end = part.find('m').expect("only colours are written");
        plain.push_str(&part[end + 1..]);
    }
    plain
}

#[test]
fn a_full_checkout_shows_every_span_with_kind_and_service() {
    let tree = checkout().tree();
    let options = Options {
        width: 120,
        full: true,
        ..Options::default()
    };
    insta::assert_snapshot!(render::text(&tree, &options));
}

#[test]
fn a_full_checkout_at_80_columns() {
    let tree = checkout().tree();
    let options = Options {
        width: 80,
        full: true,
        ..Options::default()
    };
    insta::assert_snapshot!(render::lines(&tree, &options));
}

#[test]
fn a_narrow_terminal_gets_the_tree_without_columns() {
    let tree = checkout().tree();
    let mark = slow_inventory(&tree);
    let options = Options {
        width: 36,
        slow: Some(&mark),
        ..Options::default()
    };
    insta::assert_snapshot!(render::text(&tree, &options));
}

#[test]
fn a_failure_says_what_failed_and_where() {
    let mut spans = checkout().spans();
    for span in &mut spans {
        match span.name.as_str() {
            "POST /v1/charges" => {
                span.attributes.insert("http.response.status_code", 503);
                span.attributes.insert("error.type", "503");
                span.status = Status::error("");
            }
            "stripe.ChargeCreate" | "processPayment" | "handleCheckout" => {
                span.attributes
                    .insert("error.type", "processor_unavailable");
                span.attributes.insert("error.stage", "charge");
                span.status = Status::error("the card processor did not answer");
            }
            "POST /checkout" => {
                span.attributes.insert("http.response.status_code", 502);
                span.attributes.insert("error.type", "502");
                span.status = Status::error("");
            }
            _ => {}
        }
    }
    let tree = TraceTree::build(spans);
    insta::assert_snapshot!(render::text(
        &tree,
        &Options {
            width: 100,
            ..Options::default()
        }
    ));
}

#[test]
fn what_is_wrong_with_a_trace_is_said() {
    let mut spans = checkout().spans();
    spans.retain(|span| span.name != "pricing.quote" && span.name != "send payment-events");
    let mut again = spans[3].clone();
    again.name.push_str(" again");
    spans.push(again);
    let mut round = Trace::default();
    round.span(
        "a",
        "",
        (trace_tree::Kind::Internal, "orders", "a"),
        (0, 10),
    );
    let mut round = round.spans();
    round[0].span_id = span_id(100);
    round.push(round[0].clone());
    round[1].span_id = span_id(101);
    round[1].name = "b".to_owned();
    round[0].parent_span_id = Some(span_id(101));
    round[1].parent_span_id = Some(span_id(100));
    spans.extend(round);
    let tree = TraceTree::build(spans);
    insta::assert_snapshot!(render::text(&tree, &Options::default()));
}

#[test]
fn a_deep_tree_stays_within_the_width() {
    let mut trace = Trace::default();
    let mut under = String::new();
    for depth in 0..40_u64 {
        let key = format!("level {depth}");
        trace.span(
            &key,
            &under,
            (trace_tree::Kind::Internal, "x", &key),
            (depth, 100 - depth),
        );
        under = key;
    }
    trace.span(
        "leaf",
        "level 20",
        (trace_tree::Kind::Internal, "x", "leaf"),
        (90, 91),
    );
    let text = render::lines(
        &trace.tree(),
        &Options {
            width: 80,
            ..Options::default()
        },
    );
    assert!(text.lines().all(|line| line.chars().count() <= 80));
    insta::assert_snapshot!(text);
}

#[test]
fn no_text_of_a_span_reaches_the_terminal_unescaped() {
    let mut trace = Trace::default();
    let evil = "\u{1b}[2J\u{202e}\r\n";
    let span = trace.span("x", "", (trace_tree::Kind::Client, evil, evil), (0, 10));
    span.attributes.insert("error.type", evil);
    span.attributes.insert("error.stage", evil);
    span.attributes.insert("x", evil);
    span.status = Status::error(evil);
    span.events = vec![crate::support::event(evil, 1)];
    let tree = trace.tree();
    for full in [false, true] {
        let text = render::text(
            &tree,
            &Options {
                full,
                ..Options::default()
            },
        );
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\r']), "{text}");
        assert!(text.contains("\\u{1b}[2J"), "{text}");
    }
    let options = ShapeOptions {
        attributes: &["x"],
        services: true,
        events: true,
        ..Default::default()
    };
    assert!(!render::shape(&tree, options).contains(['\u{1b}', '\u{202e}', '\r']));
}

#[test]
fn the_shape_of_a_checkout_has_no_times_and_no_ids() {
    let options = ShapeOptions {
        attributes: &["tenant.id", "order.item_count", "inventory.items_available"],
        services: true,
        events: true,
        links: true,
        folded: false,
    };
    insta::assert_snapshot!(render::shape(&checkout().tree(), options));
}

#[test]
fn the_folded_shape_holds_the_labels_of_the_terminal() {
    let options = ShapeOptions {
        folded: true,
        ..ShapeOptions::default()
    };
    insta::assert_snapshot!(render::shape(&small_checkout().tree(), options));
}

#[test]
fn a_trace_without_spans_says_so() {
    let tree = TraceTree::build(Vec::new());
    assert_eq!(
        render::text(&tree, &Options::default()),
        "a trace without spans\n"
    );
    assert_eq!(tree.trace_id(), None);
    assert!(!tree.has_single_root());
}

#[test]
fn a_remote_caller_is_mentioned() {
    let mut spans = small_checkout().spans();
    spans[0].parent_span_id = Some(span_id(0xf067_aa0b));
    let tree = TraceTree::build(spans);
    let text = render::text(&tree, &Options::default());
    assert!(text.starts_with(&format!(
        "trace {} · 2026-11-21T06:42:48.000Z\nPOST /checkout (orders)",
        trace_id()
    )));
    assert!(
        text.ends_with("the caller's span 00000000f067aa0b is not stored in this trace\n"),
        "{text}"
    );
}
