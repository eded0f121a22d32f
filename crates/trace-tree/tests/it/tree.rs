//! Roots, orphans, shared ids, cycles, clocks, self time, the critical path.

use trace_tree::{Kind, Span, Status, TraceTree, split_traces};

use crate::support::{Trace, checkout, span_id};

fn named(tree: &TraceTree, name: &str) -> usize {
    tree.find(|span| span.name == name)
        .unwrap_or_else(|| panic!("no span {name}"))
}

fn names(tree: &TraceTree, spans: &[usize]) -> Vec<String> {
    spans
        .iter()
        .map(|&span| tree.span(span).name.clone())
        .collect()
}

fn micros(duration: std::time::Duration) -> u128 {
    duration.as_micros()
}

const WORK: (Kind, &str, &str) = (Kind::Internal, "x", "work");

#[test]
fn a_checkout_has_one_root_and_no_orphan() {
    let tree = checkout().tree();
    assert!(tree.has_single_root());
    assert_eq!(names(&tree, tree.roots()), ["POST /checkout"]);
    assert!(tree.orphans().is_empty());
    assert!(tree.remote_parent().is_none());
    assert!(tree.skews().is_empty(), "clocks agree: {:?}", tree.skews());
    assert_eq!(tree.walk().count(), tree.len());
    assert_eq!(
        tree.services().into_iter().collect::<Vec<_>>(),
        ["inventory", "orders", "payment", "pricing"]
    );
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    let spans = checkout().spans();
    let mut reversed = spans.clone();
    reversed.reverse();
    let (a, b) = (TraceTree::build(spans), TraceTree::build(reversed));
    assert_eq!(a.spans(), b.spans());
    assert!((0..a.len()).all(|span| a.children(span) == b.children(span)));
}

#[test]
fn a_span_without_its_parent_is_an_orphan() {
    let mut spans = checkout().spans();
    spans.retain(|span| span.name != "processPayment");
    let tree = TraceTree::build(spans);
    assert!(!tree.has_single_root());
    assert_eq!(names(&tree, tree.roots()), ["POST /checkout"]);
    assert_eq!(
        names(&tree, tree.orphans()),
        ["fraud.check", "stripe.ChargeCreate", "INSERT payments"]
    );
}

#[test]
fn the_span_a_foreign_caller_called_is_the_root() {
    let mut spans = checkout().spans();
    spans[0].parent_span_id = Some(span_id(0xf0));
    let tree = TraceTree::build(spans.clone());
    assert!(tree.has_single_root());
    assert_eq!(tree.remote_parent(), Some(span_id(0xf0)));

    // Another parent that is missing is a loss and stays one.
    spans.retain(|span| span.name != "processPayment");
    let tree = TraceTree::build(spans);
    assert_eq!(names(&tree, tree.roots()), ["POST /checkout"]);
    assert_eq!(tree.orphans().len(), 3);
    assert!(!tree.has_single_root());
}

#[test]
fn a_lost_root_does_not_make_its_child_a_root() {
    let mut spans = checkout().spans();
    spans.remove(0);
    let tree = TraceTree::build(spans);
    assert!(
        tree.roots().is_empty(),
        "the parent of an INTERNAL span is in its own process"
    );
    assert_eq!(
        names(&tree, tree.orphans()),
        ["SELECT tenants", "handleCheckout"]
    );

    let mut trace = Trace::default();
    let span = trace.span("x", "", WORK, (0, 1));
    span.parent_span_id = Some(span_id(9));
    span.flags = 0x301;
    assert!(
        trace.tree().has_single_root(),
        "unless it says itself that it is not"
    );
}

#[test]
fn spans_that_share_an_id_are_all_kept() {
    let mut spans = checkout().spans();
    let again = spans
        .iter()
        .find(|span| span.name == "processPayment")
        .unwrap()
        .clone();
    spans.push(again);
    let count = spans.len();
    let tree = TraceTree::build(spans);
    assert_eq!(tree.len(), count);
    assert_eq!(tree.walk().count(), count);
    assert_eq!(names(&tree, tree.duplicates()), ["processPayment"]);
    let duplicate = tree.duplicates()[0];
    assert!(tree.is_duplicate(duplicate));
    assert!(
        tree.children(duplicate).is_empty(),
        "children belong to the first"
    );
}

#[test]
fn a_client_and_a_server_span_may_share_an_id() {
    let mut trace = Trace::default();
    trace.span("root", "", (Kind::Server, "a", "root"), (0, 100));
    trace.span("call", "root", (Kind::Client, "a", "call"), (10, 90));
    trace.span("entry", "root", (Kind::Server, "b", "entry"), (10, 80));
    trace.span("inner", "entry", (Kind::Internal, "b", "inner"), (20, 70));
    trace.span("dns", "call", (Kind::Internal, "a", "dns"), (11, 12));
    let mut spans = trace.spans();
    let shared = spans[1].span_id;
    spans[2].span_id = shared;
    spans[3].parent_span_id = Some(shared);
    let tree = TraceTree::build(spans);
    assert!(tree.duplicates().is_empty());
    let (call, entry) = (named(&tree, "call"), named(&tree, "entry"));
    assert_eq!(tree.parent(entry), Some(call));
    assert_eq!(tree.parent(named(&tree, "inner")), Some(entry));
    assert_eq!(tree.parent(named(&tree, "dns")), Some(call));
}

#[test]
fn a_cycle_is_cut_above_its_earliest_span() {
    let mut trace = Trace::default();
    trace.span("a", "", (Kind::Internal, "x", "a"), (10, 20));
    trace.span("b", "a", (Kind::Internal, "x", "b"), (5, 20));
    trace.span("c", "b", (Kind::Internal, "x", "c"), (11, 20));
    trace.span("tail", "c", (Kind::Internal, "x", "tail"), (0, 20));
    trace.span("own", "", (Kind::Internal, "x", "own"), (30, 31));
    let mut spans = trace.spans();
    spans[0].parent_span_id = Some(spans[2].span_id);
    spans[4].parent_span_id = Some(spans[4].span_id);
    let tree = TraceTree::build(spans);
    assert!(tree.roots().is_empty());
    let cycles: Vec<_> = tree
        .cycles()
        .iter()
        .map(|cycle| names(&tree, cycle))
        .collect();
    assert_eq!(cycles, [vec!["b", "c", "a"], vec!["own"]]);
    assert_eq!(tree.walk().count(), 5);
    assert_eq!(tree.parent(named(&tree, "tail")), Some(named(&tree, "c")));
}

#[test]
fn self_time_leaves_out_the_union_of_children() {
    let mut trace = Trace::default();
    trace.span("root", "", (Kind::Internal, "x", "root"), (0, 100));
    trace.span("a", "root", (Kind::Internal, "x", "a"), (10, 40));
    trace.span("b", "root", (Kind::Internal, "x", "b"), (30, 50));
    trace.span("inside", "root", (Kind::Internal, "x", "inside"), (35, 38));
    trace.span(
        "overhang",
        "root",
        (Kind::Internal, "x", "overhang"),
        (90, 150),
    );
    trace.span("after", "root", (Kind::Producer, "x", "after"), (120, 130));
    let tree = trace.tree();
    assert_eq!(micros(tree.self_time(named(&tree, "root"))), 50);
    assert_eq!(micros(tree.self_time(named(&tree, "a"))), 30);
}

#[test]
fn a_span_that_ends_before_it_starts_takes_no_time() {
    let mut trace = Trace::default();
    trace.span("root", "", WORK, (100, 0));
    let tree = trace.tree();
    assert_eq!(micros(tree.span(0).duration()), 0);
    assert_eq!(micros(tree.self_time(0)), 0);
    assert_eq!(tree.critical_path(), [0]);
}

#[test]
fn clocks_that_disagree_are_shifted_between_services_only() {
    let mut trace = Trace::default();
    trace.span("root", "", (Kind::Client, "a", "root"), (1_000, 2_000));
    trace.span("entry", "root", (Kind::Server, "b", "entry"), (100, 900));
    trace.span("inner", "entry", (Kind::Internal, "b", "inner"), (200, 300));
    trace.span("back", "inner", (Kind::Server, "a", "back"), (1_250, 1_260));
    let tree = trace.tree();
    let entry = named(&tree, "entry");
    let start = |name: &str| (tree.interval(named(&tree, name)).0 / 1_000) % 1_000_000;
    assert_eq!(tree.skews().len(), 1);
    assert_eq!(tree.skews()[0].span, entry);
    assert_eq!(
        tree.skews()[0].shift_nanos,
        1_000_000,
        "centred in the caller's span"
    );
    assert_eq!(start("entry"), 1_100);
    assert_eq!(start("inner"), 1_200, "its service moves with it");
    assert_eq!(start("back"), 1_250, "the caller's own clock is right");
    assert_eq!(
        (tree.span(entry).start_unix_nano / 1_000) % 1_000_000,
        100,
        "stored as it was"
    );
    assert_eq!(micros(tree.self_time(named(&tree, "root"))), 200);
}

#[test]
fn the_same_service_is_never_shifted() {
    let mut trace = Trace::default();
    trace.span("root", "", (Kind::Internal, "a", "root"), (1_000, 2_000));
    trace.span("early", "root", (Kind::Internal, "a", "early"), (100, 900));
    assert!(trace.tree().skews().is_empty());
}

#[test]
fn a_callee_that_outlives_a_caller_that_gave_up_is_no_skew() {
    let mut trace = Trace::default();
    trace
        .span("call", "", (Kind::Client, "a", "call"), (0, 50_000))
        .status = Status::error("timeout");
    trace.span(
        "entry",
        "call",
        (Kind::Server, "b", "entry"),
        (30_000, 75_000),
    );
    assert!(trace.tree().skews().is_empty());
    let mut trace = Trace::default();
    trace.span("call", "", (Kind::Client, "a", "call"), (0, 50_000));
    trace.span(
        "entry",
        "call",
        (Kind::Server, "b", "entry"),
        (30_000, 75_000),
    );
    assert_eq!(trace.tree().skews()[0].shift_nanos, -27_500_000);
}

#[test]
fn a_message_processed_later_is_no_skew() {
    let mut trace = Trace::default();
    trace.span("send", "", (Kind::Producer, "a", "send"), (0, 10));
    trace.span(
        "process",
        "send",
        (Kind::Consumer, "b", "process"),
        (500, 900),
    );
    assert!(trace.tree().skews().is_empty());
}

#[test]
fn the_critical_path_is_what_the_end_waited_for() {
    let mut trace = Trace::default();
    trace.span("root", "", (Kind::Internal, "x", "root"), (0, 100));
    trace.span("first", "root", (Kind::Internal, "x", "first"), (5, 30));
    trace.span("short", "root", (Kind::Internal, "x", "short"), (35, 50));
    trace.span("long", "root", (Kind::Internal, "x", "long"), (35, 90));
    trace.span(
        "in long",
        "long",
        (Kind::Internal, "x", "in long"),
        (40, 88),
    );
    trace.span("later", "root", (Kind::Producer, "x", "later"), (110, 120));
    let tree = trace.tree();
    assert_eq!(
        names(&tree, &tree.critical_path()),
        ["root", "first", "long", "in long"]
    );
}

#[test]
fn the_critical_path_of_a_checkout_goes_through_the_charge() {
    let tree = checkout().tree();
    let path = names(&tree, &tree.critical_path());
    for name in [
        "handleCheckout",
        "SELECT inventory",
        "stripe.ChargeCreate",
        "INSERT outbox",
    ] {
        assert!(path.iter().any(|span| span == name), "{name} in {path:?}");
    }
    assert!(!path.iter().any(|span| span.starts_with("send ")));
}

#[test]
fn traces_are_told_apart() {
    let mut spans = checkout().spans();
    let mut other: Vec<Span> = checkout().spans();
    for span in &mut other {
        span.trace_id = [7; 16].into();
    }
    spans.extend(other);
    let mixed = TraceTree::build(spans.clone());
    assert_eq!(
        mixed.roots().len(),
        2,
        "parents are looked for within the trace"
    );
    assert!(mixed.duplicates().is_empty());
    let traces = split_traces(spans);
    assert_eq!(traces.len(), 2);
    assert!(
        traces
            .into_values()
            .all(|spans| TraceTree::build(spans).has_single_root())
    );
}
