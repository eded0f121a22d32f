//! The tree for programs.
//!
//! Nodes are nested as the lines of the terminal are. They are written one by one and
//! not by recursion, so depth is no danger here; many readers, though, refuse JSON that
//! is nested more than about 60 nodes deep.

use serde::Serialize;

use crate::{
    SlowMark, TraceTree,
    fold::{Line, View},
    label,
};

mod node;

use node::{EventNode, Head, LinkNode, Node, SlowNode, SpanNode};

/// How to write.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// One node per span instead of one per hop.
    pub full: bool,
    /// The span that took too long.
    pub slow: Option<&'a SlowMark>,
}

/// The tree as one JSON object on one line.
///
/// ```
/// use trace_tree::{Span, SpanId, TraceId, TraceTree, json};
///
/// # fn main() -> Result<(), serde_json::Error> {
/// let span = Span::new(TraceId::from_bytes([1; 16]), SpanId::from_bytes([1; 8]), "work");
/// let text = json::text(&TraceTree::build(vec![span]), &json::Options::default())?;
/// let read: serde_json::Value = serde_json::from_str(&text)?;
/// assert_eq!(read["roots"][0]["label"], "work");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// When a value cannot be written as JSON, which no span of this crate contains.
pub fn text(tree: &TraceTree, options: &Options<'_>) -> serde_json::Result<String> {
    let view = if options.full {
        View::full(tree)
    } else {
        View::folded(tree)
    };
    let mut critical = vec![false; tree.len()];
    for span in tree.critical_path() {
        critical[span] = true;
    }
    let writer = Writer {
        tree,
        view: &view,
        critical,
        slow: options.slow,
    };
    let mut out = open_object(&Head::of(tree, options.slow))?;
    for (key, lines) in [
        ("roots", view.roots()),
        ("cycles", view.cycles()),
        ("orphans", view.orphans()),
    ] {
        out.push_str(",\"");
        out.push_str(key);
        out.push_str("\":[");
        writer.nodes(&mut out, lines)?;
        out.push(']');
    }
    out.push('}');
    Ok(out)
}

/// An object without its closing brace, for more fields to follow.
fn open_object(value: &impl Serialize) -> serde_json::Result<String> {
    let mut text = serde_json::to_string(value)?;
    text.pop();
    Ok(text)
}

struct Writer<'a> {
    tree: &'a TraceTree,
    view: &'a View,
    critical: Vec<bool>,
    slow: Option<&'a SlowMark>,
}

enum Step {
    Open(usize),
    Close,
}

impl Writer<'_> {
    fn nodes(&self, out: &mut String, lines: &[usize]) -> serde_json::Result<()> {
        let mut pending: Vec<_> = lines.iter().rev().map(|&line| Step::Open(line)).collect();
        while let Some(step) = pending.pop() {
            match step {
                Step::Close => out.push_str("]}"),
                Step::Open(index) => {
                    if out.ends_with('}') {
                        out.push(',');
                    }
                    let line = &self.view.lines()[index];
                    out.push_str(&open_object(&self.node(line))?);
                    out.push_str(",\"children\":[");
                    pending.push(Step::Close);
                    pending.extend(line.children.iter().rev().map(|&line| Step::Open(line)));
                }
            }
        }
        Ok(())
    }

    fn node(&self, line: &Line) -> Node<'_> {
        let members: Vec<_> = line
            .members
            .iter()
            .map(|&index| self.tree.span(index))
            .collect();
        let primary = self.tree.span(line.primary);
        let own: u64 = line.members.iter().fold(0, |sum, &member| {
            sum.saturating_add(self.tree.self_nanos(member))
        });
        let slow = self.slow.filter(|slow| line.members.contains(&slow.span));
        Node {
            label: label::line_label(primary, &members),
            error: members.iter().any(|span| span.is_error()),
            failure: label::failure(primary, &members),
            critical: line.members.iter().any(|&member| self.critical[member]),
            slow: slow.map(|slow| SlowNode::of(self.tree.span(slow.span), slow)),
            line_duration_ns: self.tree.span(line.outermost()).duration_nanos(),
            line_self_ns: own,
            span: self.span(line.primary),
            folded: line
                .members
                .iter()
                .filter(|&&member| member != line.primary)
                .map(|&member| self.span(member))
                .collect(),
        }
    }

    fn span(&self, index: usize) -> SpanNode<'_> {
        let span = self.tree.span(index);
        SpanNode {
            name: &span.name,
            service: &span.service,
            kind: span.kind,
            span_id: span.span_id,
            parent_span_id: span.parent(),
            start_unix_nano: span.start_unix_nano.to_string(),
            duration_ns: span.duration_nanos(),
            self_ns: self.tree.self_nanos(index),
            clock_shift_ns: self.tree.shift_nanos(index),
            duplicate: self.tree.is_duplicate(index),
            status: span.status.code(),
            status_message: span.status.message(),
            attributes: &span.attributes,
            events: span.events.iter().map(EventNode::of).collect(),
            links: span.links.iter().map(LinkNode::of).collect(),
        }
    }
}
