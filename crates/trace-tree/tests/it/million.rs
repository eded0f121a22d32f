//! A million spans, as deep or as wide as they come: linear work and no recursion.
//!
//! Text is made of fewer, which are still deeper than any stack: unoptimised, most of
//! the time would go into formatting.

use trace_tree::{
    Kind, Span, SpanId, TraceId, TraceTree,
    fold::View,
    json,
    render::{self, Options, ShapeOptions},
};

const COUNT: u64 = 1_000_000;
const SHOWN: u64 = 100_000;

/// Ids are scattered, so that neither maps nor sorting profit from their order.
fn id(number: u64) -> SpanId {
    let scattered = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    SpanId::from_bytes(scattered.to_be_bytes())
}

fn spans(count: u64, parent: impl Fn(u64) -> Option<u64>) -> Vec<Span> {
    (0..count)
        .map(|number| {
            let mut span = Span::new(TraceId::default(), id(number), String::new());
            span.parent_span_id = parent(number).map(id);
            span.kind = [Kind::Internal, Kind::Client, Kind::Server][(number % 3) as usize];
            span.start_unix_nano = number;
            span.end_unix_nano = 2 * COUNT;
            span
        })
        .collect()
}

fn built(parent: impl Fn(u64) -> Option<u64>) -> TraceTree {
    let tree = TraceTree::build(spans(COUNT, parent));
    assert_eq!(tree.len() as u64, COUNT);
    assert_eq!(tree.walk().count() as u64, COUNT);
    assert!(tree.has_single_root());
    assert!(!tree.critical_path().is_empty());
    let members: usize = View::folded(&tree)
        .lines()
        .iter()
        .map(|line| line.members.len())
        .sum();
    assert_eq!(members as u64, COUNT);
    tree
}

#[test]
fn a_chain_of_a_million_spans() {
    let tree = built(|number| number.checked_sub(1));
    let deepest = tree.walk().map(|(depth, _)| depth as u64).max();
    assert_eq!(deepest, Some(COUNT - 1));
    assert_eq!(tree.critical_path().len() as u64, COUNT);
}

#[test]
fn text_of_a_chain_deeper_than_any_stack() {
    let tree = TraceTree::build(spans(SHOWN, |number| number.checked_sub(1)));
    let options = Options {
        full: true,
        ..Options::default()
    };
    let text = render::lines(&tree, &options);
    assert_eq!(text.lines().count() as u64, SHOWN);
    let shape = render::shape(&tree, ShapeOptions::default());
    assert_eq!(shape.lines().count() as u64, SHOWN);
    let text = json::text(&tree, &json::Options::default()).expect("JSON");
    assert_eq!(text.matches("\"parent_span_id\":").count() as u64, SHOWN);
}

#[test]
fn a_star_of_a_million_spans() {
    let tree = built(|number| (number > 0).then_some(0));
    assert_eq!(tree.children(tree.roots()[0]).len() as u64, COUNT - 1);
}

#[test]
fn a_million_spans_under_random_parents() {
    built(|number| {
        let random = number.wrapping_mul(0xd134_2543_de82_ef95) >> 17;
        (number > 0).then(|| random % number)
    });
}

#[test]
fn a_million_spans_with_one_id_or_in_one_circle() {
    let mut same = spans(COUNT, |_| None);
    for span in &mut same {
        span.span_id = id(0);
    }
    let tree = TraceTree::build(same);
    assert_eq!(tree.duplicates().len() as u64, COUNT - 1);

    let tree = TraceTree::build(spans(COUNT, |number| Some((number + 1) % COUNT)));
    assert_eq!(tree.cycles().len(), 1);
    assert_eq!(tree.cycles()[0].len() as u64, COUNT);
    assert_eq!(tree.walk().count() as u64, COUNT);
}
