//! Which span is marked slow.

use trace_tree::{
    Baseline, TraceTree,
    slow::{Reason, mark},
};

use crate::support::checkout;

/// A checkout whose inventory query takes `query` microseconds more than it does.
fn trace(number: u8, query: u64) -> TraceTree {
    let mut spans = checkout().spans();
    let at = spans
        .iter()
        .position(|span| span.name == "SELECT inventory")
        .expect("the query is there");
    let end = spans[at].end_unix_nano;
    for span in &mut spans {
        span.trace_id = [number; 16].into();
        if span.end_unix_nano >= end {
            span.end_unix_nano += query * 1_000;
        }
        if span.start_unix_nano >= end {
            span.start_unix_nano += query * 1_000;
        }
    }
    TraceTree::build(spans)
}

fn history(count: u8) -> Vec<TraceTree> {
    (1..=count)
        .map(|number| trace(number, u64::from(number)))
        .collect()
}

#[test]
fn the_span_that_takes_longer_than_usual_is_marked_not_the_longest() {
    let baseline = Baseline::from_traces(&history(9));
    let tree = trace(99, 60_000);
    let mark = mark(&tree, Some(&baseline)).expect("the query is slow");
    assert_eq!(tree.span(mark.span).name, "SELECT inventory");
    assert_eq!(
        mark.reason.to_string(),
        "81 ms here, usually 21 ms: 3.9 times slower (median of 9)"
    );
}

#[test]
fn nothing_is_marked_when_all_is_as_usual() {
    let baseline = Baseline::from_traces(&history(9));
    assert_eq!(mark(&trace(99, 10), Some(&baseline)), None);
    assert_eq!(
        mark(&trace(99, 30_000), Some(&baseline)),
        None,
        "not three times as long"
    );
}

#[test]
fn without_history_the_largest_self_time_is_marked() {
    let tree = trace(99, 10);
    for baseline in [
        None,
        Some(Baseline::default()),
        Some(Baseline::from_traces(&history(4))),
    ] {
        let mark = mark(&tree, baseline.as_ref()).expect("something takes time");
        assert_eq!(tree.span(mark.span).name, "POST /v1/charges");
        assert_eq!(mark.reason, Reason::LargestSelfTime);
        assert_eq!(
            mark.reason.to_string(),
            "largest self time; no history to compare with"
        );
        assert_eq!(mark.reason.ratio(), None);
    }
}

#[test]
fn a_trace_does_not_count_towards_its_own_baseline() {
    let mut traces = history(5);
    let tree = trace(99, 500_000);
    traces.push(tree.clone());
    let baseline = Baseline::from_traces(&traces);
    let mark = mark(&tree, Some(&baseline)).expect("the query is slow");
    assert!(matches!(
        mark.reason,
        Reason::UsuallyTakes { samples: 5, .. }
    ));
}

#[test]
fn a_trace_that_takes_no_time_has_no_mark() {
    assert_eq!(mark(&TraceTree::build(Vec::new()), None), None);
}
