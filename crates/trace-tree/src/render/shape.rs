//! The shape of a tree: names and nesting without ids and times, for snapshots.

use std::fmt::Write as _;

use super::guides::{self, Style};
use crate::{TraceTree, escape, fold::View, label};

/// Deeper levels are numbered, so that a very deep tree stays of linear size.
const LEVELS: usize = 64;

/// What a shape shows besides names and nesting.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShapeOptions<'a> {
    /// Attributes to show where they are set.
    pub attributes: &'a [&'a str],
    /// Whether to show the service of each span.
    pub services: bool,
    /// Whether to show the names of events.
    pub events: bool,
    /// Whether to show how many links each span has.
    pub links: bool,
    /// One line per hop with the labels of the terminal, instead of one per span with
    /// its name and kind.
    pub folded: bool,
}

/// Names, kinds and nesting, with `ERROR` on failed spans: the same for every run of
/// the same work.
///
/// ```
/// use trace_tree::{
///     Kind, Span, SpanId, TraceId, TraceTree,
///     render::{ShapeOptions, shape},
/// };
///
/// let trace = TraceId::from_bytes([1; 16]);
/// let mut server = Span::new(trace, SpanId::from_bytes([1; 8]), "POST /checkout");
/// server.kind = Kind::Server;
/// let mut business = Span::new(trace, SpanId::from_bytes([2; 8]), "handleCheckout");
/// business.kind = Kind::Internal;
/// business.parent_span_id = Some(server.span_id);
/// business.attributes.insert("tenant.id", "acme");
///
/// let tree = TraceTree::build(vec![server, business]);
/// let options = ShapeOptions { attributes: &["tenant.id"], ..ShapeOptions::default() };
/// assert_eq!(
///     shape(&tree, options),
///     "POST /checkout SERVER\n\
///      └── handleCheckout INTERNAL {tenant.id=acme}\n"
/// );
/// ```
#[must_use]
pub fn shape(tree: &TraceTree, options: ShapeOptions<'_>) -> String {
    let view = if options.folded {
        View::folded(tree)
    } else {
        View::full(tree)
    };
    let mut out = String::new();
    let mut section = |heading: &str, tops: &[usize]| {
        if !heading.is_empty() && !tops.is_empty() {
            out.push_str(heading);
            out.push('\n');
        }
        let depth = usize::from(!heading.is_empty());
        guides::visit(&view, tops, depth, Style::wide(LEVELS), |line, guides| {
            out.push_str(&guides.before);
            if let Some(depth) = guides.number {
                let _ = write!(out, "[{depth}] ");
            }
            write_line(&mut out, tree, &view.lines()[line], options);
        });
    };
    section("", view.roots());
    section("cycle", view.cycles());
    section("orphan", view.orphans());
    out
}

fn write_line(
    out: &mut String,
    tree: &TraceTree,
    line: &crate::fold::Line,
    options: ShapeOptions<'_>,
) {
    let members: Vec<_> = line
        .members
        .iter()
        .map(|&member| tree.span(member))
        .collect();
    let primary = tree.span(line.primary);
    if options.folded {
        out.push_str(&label::line_label(primary, &members));
    } else {
        let _ = write!(out, "{} {}", escape(&primary.name), primary.kind);
    }
    if options.services && !primary.service.is_empty() {
        let _ = write!(out, " {}", escape(&primary.service));
    }
    let attributes: Vec<_> = options
        .attributes
        .iter()
        .filter_map(|key| {
            let value = members.iter().find_map(|span| span.attr(key))?;
            Some(format!("{key}={}", escape(&value.to_string())))
        })
        .collect();
    if !attributes.is_empty() {
        let _ = write!(out, " {{{}}}", attributes.join(", "));
    }
    if options.events {
        for event in members.iter().flat_map(|span| &span.events) {
            let _ = write!(out, " (event: {})", escape(&event.name));
        }
    }
    let links: usize = members.iter().map(|span| span.links.len()).sum();
    if options.links && links > 0 {
        let _ = write!(out, " (links: {links})");
    }
    if members.iter().any(|span| span.is_error()) {
        out.push_str(" ERROR");
    }
    out.push('\n');
}
