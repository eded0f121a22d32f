//! Whatever the spans say, nothing is lost and nothing panics.

use std::collections::BTreeSet;

use proptest::prelude::*;
use trace_tree::{
    Event, Kind, Span, SpanId, Status, TraceId, TraceTree,
    fold::View,
    json, otlp_json,
    render::{self, Options, ShapeOptions},
    slow,
};

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Unspecified),
        Just(Kind::Internal),
        Just(Kind::Client),
        Just(Kind::Server),
        Just(Kind::Producer),
        Just(Kind::Consumer),
    ]
}

/// Few ids, so that parents are found, missing, repeated and in circles.
fn id() -> impl Strategy<Value = SpanId> {
    (0_u8..24).prop_map(|number| SpanId::from_bytes([number; 8]))
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 1_000_000_000_u64..1_200_000_000, 1 => Just(0), 1 => Just(u64::MAX), 1 => any::<u64>()]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,12}",
        "\\PC{0,80}",
        any::<String>(),
        Just("\u{1b}[2J".to_owned())
    ]
}

prop_compose! {
    fn span()(
        (trace, id, parent) in (0_u8..8, id(), proptest::option::of(id())),
        (kind, name, service) in (kind(), text(), 0_u8..3),
        (start, end) in (time(), time()),
        failed in proptest::option::of(text()),
        attributes in proptest::collection::btree_map(
            prop_oneof![
                Just("db.system.name"), Just("db.operation.name"), Just("db.query.text"),
                Just("db.query.summary"), Just("error.type"), Just("error.stage"),
            ],
            prop_oneof![Just("redis".to_owned()), Just("postgresql".to_owned()), text()],
            0..4,
        ),
        numbers in proptest::collection::btree_map(
            prop_oneof![Just("http.response.status_code"), Just("http.request.resend_count")],
            prop_oneof![Just(503_i64), any::<i64>()],
            0..2,
        ),
        events in proptest::collection::vec((time(), text()), 0..3),
        flags in any::<u32>(),
    ) -> Span {
        // Mostly one trace, now and then a stray span of another.
        let mut span = Span::new(TraceId::from_bytes([trace / 7; 16]), id, name);
        span.parent_span_id = parent;
        span.kind = kind;
        span.service = ["", "orders", "inventory"][usize::from(service)].into();
        span.start_unix_nano = start;
        span.end_unix_nano = end;
        span.flags = flags;
        if let Some(message) = failed {
            span.status = Status::error(message);
        }
        for (key, value) in attributes {
            span.attributes.insert(key, value);
        }
        for (key, value) in numbers {
            span.attributes.insert(key, value);
        }
        span.events = events
            .into_iter()
            .map(|(time_unix_nano, name)| Event { time_unix_nano, name, ..Event::default() })
            .collect();
        span
    }
}

fn spans() -> impl Strategy<Value = Vec<Span>> {
    proptest::collection::vec(span(), 0..40)
}

fn sorted_ids(spans: &[Span]) -> Vec<(TraceId, SpanId, String)> {
    let mut ids: Vec<_> = spans
        .iter()
        .map(|span| (span.trace_id, span.span_id, span.name.clone()))
        .collect();
    ids.sort();
    ids
}

proptest! {
    #[test]
    fn any_spans_make_a_tree_that_holds_each_once(spans in spans()) {
        let tree = TraceTree::build(spans.clone());
        prop_assert_eq!(sorted_ids(tree.spans()), sorted_ids(&spans));
        let walked: Vec<_> = tree.walk().map(|(_, span)| span).collect();
        prop_assert_eq!(walked.len(), tree.len());
        prop_assert_eq!(walked.into_iter().collect::<BTreeSet<_>>().len(), tree.len());
        let tops: BTreeSet<_> = tree.tops().collect();
        prop_assert_eq!(tops.len(), tree.roots().len() + tree.cycles().len() + tree.orphans().len());
        for span in 0..tree.len() {
            prop_assert_eq!(tree.parent(span).is_none(), tops.contains(&span));
            prop_assert!(tree.children(span).iter().all(|&child| tree.parent(child) == Some(span)));
            prop_assert!(tree.children(span).is_sorted());
            prop_assert!(tree.self_nanos(span) <= tree.span(span).duration_nanos());
            let (start, end) = tree.interval(span);
            prop_assert!(start <= end);
        }
        let path = tree.critical_path();
        prop_assert_eq!(path.is_empty(), tree.is_empty());
        prop_assert!(path.is_sorted());
    }

    #[test]
    fn every_span_is_a_member_of_one_line(spans in spans()) {
        let tree = TraceTree::build(spans);
        for view in [View::folded(&tree), View::full(&tree)] {
            let mut members: Vec<_> =
                view.lines().iter().flat_map(|line| line.members.iter().copied()).collect();
            members.sort_unstable();
            prop_assert!(members.into_iter().eq(0..tree.len()));
            for (index, line) in view.lines().iter().enumerate() {
                prop_assert!(line.members.contains(&line.primary));
                prop_assert!(line.members.iter().all(|&member| view.line_of(member) == index));
                let failed = line.members.iter().any(|&member| tree.span(member).is_error());
                prop_assert!(!failed || !line.members.is_empty());
            }
            let below: usize = view.lines().iter().map(|line| line.children.len()).sum();
            let tops = view.roots().len() + view.cycles().len() + view.orphans().len();
            prop_assert_eq!(below + tops, view.lines().len());
        }
        prop_assert_eq!(View::full(&tree).lines().len(), tree.len());
    }

    #[test]
    fn any_tree_renders_within_its_width(spans in spans(), width in 0_usize..160, full: bool) {
        let tree = TraceTree::build(spans);
        let mark = slow::mark(&tree, None);
        let options = Options { width, color: false, full, slow: mark.as_ref() };
        let text = render::text(&tree, &options);
        for line in text.lines() {
            prop_assert!(!line.ends_with(' '), "{line:?}");
            prop_assert!(!line.contains(|character: char| character.is_control()), "{line:?}");
            if line.is_ascii() || line.contains(['├', '└']) && !line.contains(wide) {
                prop_assert!(line.chars().count() <= width.max(24), "{width}: {line:?}");
            }
        }
        if let Some(mark) = &mark {
            prop_assert!(width < 40 || text.contains("← slow"), "{mark:?} in {text}");
        }
        let coloured = render::text(&tree, &Options { color: true, ..options });
        prop_assert!(coloured.len() >= text.len());
    }

    #[test]
    fn every_span_has_its_line_in_the_full_view(count in 1_usize..40, parents in proptest::collection::vec(proptest::option::of(0_u64..50), 40)) {
        let spans = (0..count).map(|number| {
            let id = |number: u64| SpanId::from_bytes((number + 1).to_be_bytes());
            let mut span = Span::new(TraceId::default(), id(number as u64), format!("<{number}>"));
            span.parent_span_id = parents[number].map(id);
            span
        });
        let tree = TraceTree::build(spans.collect());
        let full = render::text(&tree, &Options { width: 300, full: true, ..Options::default() });
        let lines = full.split_once("\n\n").expect("a header").1;
        let shape = render::shape(&tree, ShapeOptions::default());
        for number in 0..count {
            let name = format!("<{number}>");
            prop_assert_eq!(lines.matches(&name).count(), 1, "{}", lines);
            prop_assert_eq!(shape.matches(&name).count(), 1, "{}", shape);
        }
    }

    #[test]
    fn any_tree_is_valid_json_with_every_span(spans in spans(), full: bool) {
        let tree = TraceTree::build(spans);
        let mark = slow::mark(&tree, None);
        let text = json::text(&tree, &json::Options { full, slow: mark.as_ref() }).expect("JSON");
        let mut reader = serde_json::Deserializer::from_str(&text);
        let read: serde_json::Value = serde::Deserialize::deserialize(&mut reader).expect("valid");
        prop_assert_eq!(&read["span_count"], tree.len());
        prop_assert_eq!(text.matches("\"parent_span_id\":").count(), tree.len());
    }

    #[test]
    fn any_text_is_read_or_refused(text: String) {
        let _ = otlp_json::parse(&text);
    }
}

fn wide(character: char) -> bool {
    !matches!(
        character,
        ' '..='~' | '│' | '├' | '└' | '─' | '…' | '←' | '✗' | '×' | 'µ'
    )
}
