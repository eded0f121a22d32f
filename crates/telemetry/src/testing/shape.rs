//! A trace as text without ids and times.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;

use crate::attributes::ERROR_TYPE;

/// Renders `spans`, which stand in the order of their starts.
pub(super) fn render(spans: &[SpanData]) -> String {
    let ids: HashSet<SpanId> = spans
        .iter()
        .map(|span| span.span_context.span_id())
        .collect();
    let mut children: HashMap<SpanId, Vec<&SpanData>> = HashMap::new();
    let mut tops = Vec::new();
    for span in spans {
        if ids.contains(&span.parent_span_id) {
            children.entry(span.parent_span_id).or_default().push(span);
        } else {
            tops.push(span);
        }
    }
    let mut text = String::new();
    let mut stack: Vec<(usize, &SpanData)> = tops.into_iter().rev().map(|top| (0, top)).collect();
    while let Some((depth, span)) = stack.pop() {
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "{:indent$}{}",
            "",
            line(span, depth),
            indent = depth * 2
        );
        if let Some(children) = children.get(&span.span_context.span_id()) {
            stack.extend(children.iter().rev().map(|child| (depth + 1, *child)));
        }
    }
    text
}

fn line(span: &SpanData, depth: usize) -> String {
    let mut line = span.name.to_string();
    if span.span_kind != SpanKind::Internal {
        line.push(' ');
        line.push_str(&format!("{:?}", span.span_kind).to_uppercase());
    }
    if depth == 0 && span.parent_span_id != SpanId::INVALID {
        line.push_str(if span.parent_span_is_remote {
            " (remote parent)"
        } else {
            " (orphan)"
        });
    }
    for event in span.events.iter() {
        line.push_str(&format!(" ({})", event.name));
    }
    if matches!(span.status, Status::Error { .. }) {
        let class = super::attribute(span, ERROR_TYPE)
            .map_or_else(String::new, |value| format!(": {value}"));
        line.push_str(&format!(" [error{class}]"));
    }
    line
}
