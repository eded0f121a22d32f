//! The tree as text for a terminal, and its shape for tests.

use crate::{SlowMark, TraceTree, fold::View};

mod frame;
mod guides;
mod layout;
mod paint;
mod rows;
mod shape;

pub use shape::{ShapeOptions, shape};

use layout::Layout;
use paint::Paint;

/// Below this a line could not hold a duration beside a few letters of its label.
const MIN_WIDTH: usize = 24;

/// How to render.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// How many columns there are.
    pub width: usize,
    /// Whether the reader sees colours. Without them not one escape code is written.
    pub color: bool,
    /// One line per span, with kind and service, instead of one per hop.
    pub full: bool,
    /// The span that took too long.
    pub slow: Option<&'a SlowMark>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            width: 100,
            color: false,
            full: false,
            slow: None,
        }
    }
}

/// The whole tree: what trace it is, the lines, and what a reader should know about them.
///
/// ```
/// use trace_tree::{Span, SpanId, TraceId, TraceTree, render};
///
/// let trace = TraceId::from_bytes([1; 16]);
/// let mut root = Span::new(trace, SpanId::from_bytes([1; 8]), "handleCheckout");
/// root.end_unix_nano = 120_000_000;
/// let mut child = Span::new(trace, SpanId::from_bytes([2; 8]), "checkInventory");
/// child.parent_span_id = Some(root.span_id);
/// child.end_unix_nano = 30_000_000;
///
/// let text = render::text(&TraceTree::build(vec![root, child]), &render::Options::default());
/// assert!(text.ends_with(
///     "\n\
///      handleCheckout       120 ms\n\
///      └── checkInventory    30 ms\n"
/// ));
/// ```
#[must_use]
pub fn text(tree: &TraceTree, options: &Options<'_>) -> String {
    let view = if options.full {
        View::full(tree)
    } else {
        View::folded(tree)
    };
    let width = options.width.max(MIN_WIDTH);
    let layout = Layout::new(width);
    let paint = Paint::new(options.color);
    let mut out = String::new();
    frame::header(&mut out, tree, &layout, paint);
    let rows = rows::of_sections(tree, &view, options, &layout);
    layout.write(&mut out, &rows, paint);
    frame::footer(&mut out, tree, &view, &layout, paint);
    out
}

/// Only the lines, without what stands above and below them: the tree as a person
/// would write it down.
#[must_use]
pub fn lines(tree: &TraceTree, options: &Options<'_>) -> String {
    let view = if options.full {
        View::full(tree)
    } else {
        View::folded(tree)
    };
    let layout = Layout::new(options.width.max(MIN_WIDTH));
    let mut out = String::new();
    let rows = rows::of_sections(tree, &view, options, &layout);
    layout.write(&mut out, &rows, Paint::new(options.color));
    out
}
