//! The machine's form.

use serde_json::Value;
use trace_tree::{TraceTree, json, slow};

use crate::support::{checkout, small_checkout};

fn read(tree: &TraceTree, options: &json::Options<'_>) -> Value {
    let text = json::text(tree, options).expect("spans are JSON");
    assert!(!text.contains('\n'));
    serde_json::from_str(&text).expect("valid JSON")
}

#[test]
fn lines_are_nested_and_keep_their_folded_spans() {
    let tree = small_checkout().tree();
    let mark = slow::mark(&tree, None);
    let json = read(
        &tree,
        &json::Options {
            full: false,
            slow: mark.as_ref(),
        },
    );
    assert_eq!(json["span_count"], 15);
    assert_eq!(json["has_single_root"], true);
    assert_eq!(json["slow"]["name"], "POST /v1/charges");
    let root = &json["roots"][0];
    assert_eq!(root["label"], "handleCheckout");
    assert_eq!(root["line_duration_ns"], 120_000_000);
    assert_eq!(root["duration_ns"], 119_500_000);
    assert_eq!(root["folded"][0]["name"], "POST /checkout");
    let inventory = &root["children"][0];
    assert_eq!(inventory["label"], "checkInventory");
    assert_eq!(
        inventory["children"][1]["label"],
        "postgres.Query SELECT … FROM inventory"
    );
    let stripe = &root["children"][1]["children"][1];
    assert_eq!(stripe["label"], "stripe.ChargeCreate");
    assert_eq!(stripe["critical"], true);
    assert_eq!(
        stripe["slow"]["reason"],
        "largest self time; no history to compare with"
    );
    assert_eq!(json["orphans"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_full_tree_has_one_node_per_span() {
    let tree = checkout().tree();
    let json = read(
        &tree,
        &json::Options {
            full: true,
            slow: None,
        },
    );
    let mut pending = vec![&json["roots"]];
    let mut count = 0;
    while let Some(nodes) = pending.pop() {
        for node in nodes.as_array().expect("nodes") {
            assert_eq!(node["folded"].as_array().map(Vec::len), Some(0));
            count += 1;
            pending.push(&node["children"]);
        }
    }
    assert_eq!(count, tree.len());
}

#[test]
fn a_node_holds_what_the_span_says() {
    let tree = small_checkout().tree();
    let json = read(&tree, &json::Options::default());
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&json["roots"][0]["children"][0]["children"][0])
            .expect("JSON")
    );
}
