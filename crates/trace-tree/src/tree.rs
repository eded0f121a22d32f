//! From spans to a tree that holds all of them, whatever was wrong with them.
//!
//! Nothing here recurses: a trace may be a million spans deep.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{Span, SpanId, TraceId};

mod critical;
mod parents;
mod self_time;
mod skew;

pub use skew::Skew;

/// The spans of a trace in their order: parents above children, children by start
/// time and then by id.
///
/// A span is named by its index, which counts in that same order of start and id over
/// the whole trace. Indices given to methods must come from the same tree.
///
/// ```
/// use trace_tree::{Span, SpanId, TraceId, TraceTree};
///
/// let trace = TraceId::from_bytes([1; 16]);
/// let root = Span::new(trace, SpanId::from_bytes([1; 8]), "handleCheckout");
/// let mut child = Span::new(trace, SpanId::from_bytes([2; 8]), "checkInventory");
/// child.parent_span_id = Some(root.span_id);
///
/// let tree = TraceTree::build(vec![child, root]);
/// assert!(tree.has_single_root());
/// let root = tree.roots()[0];
/// assert_eq!(tree.span(root).name, "handleCheckout");
/// assert_eq!(tree.span(tree.children(root)[0]).name, "checkInventory");
/// ```
#[derive(Debug, Clone)]
pub struct TraceTree {
    spans: Vec<Span>,
    parents: Vec<Option<usize>>,
    /// Children of all spans one after the other; span `i` has those from
    /// `first_child[i]` up to `first_child[i + 1]`.
    first_child: Vec<usize>,
    children: Vec<usize>,
    roots: Vec<usize>,
    orphans: Vec<usize>,
    cycles: Vec<Vec<usize>>,
    duplicates: Vec<usize>,
    is_duplicate: Vec<bool>,
    remote_parent: Option<SpanId>,
    shifts: Vec<i64>,
    skews: Vec<Skew>,
    self_nanos: Vec<u64>,
}

impl TraceTree {
    /// Builds the tree. Any set of spans will do, in any order, and the result does
    /// not depend on the order:
    ///
    /// - a span whose parent is missing is an orphan, except under a
    ///   [remote parent](Self::remote_parent);
    /// - spans that share an id are all kept and [marked](Self::duplicates); a CLIENT
    ///   and a SERVER span may share one, as Zipkin does it, and become a pair;
    /// - a [cycle](Self::cycles) is cut above its earliest span.
    #[must_use]
    pub fn build(mut spans: Vec<Span>) -> Self {
        spans.sort_by(|a, b| order(a).cmp(&order(b)));
        let found = parents::resolve(&spans);
        let (first_child, children) = child_lists(&found.parents);
        let count = spans.len();
        let mut tree = Self {
            is_duplicate: flags(&found.duplicates, count),
            spans,
            parents: found.parents,
            first_child,
            children,
            roots: Vec::new(),
            orphans: Vec::new(),
            cycles: found.cycles,
            duplicates: found.duplicates,
            remote_parent: None,
            shifts: vec![0; count],
            skews: Vec::new(),
            self_nanos: Vec::new(),
        };
        tree.sort_out_tops(found.orphans);
        tree.find_skew();
        tree.self_nanos = tree.all_self_nanos();
        tree
    }

    /// Tells roots from orphans.
    ///
    /// A caller outside of the trace stores its span elsewhere, so a trace without a
    /// root of its own is rooted where that caller's span is missing: at the earliest
    /// span that may have a remote parent.
    fn sort_out_tops(&mut self, orphans: Vec<usize>) {
        let cut = flags(
            &self.cycles.iter().map(|cycle| cycle[0]).collect::<Vec<_>>(),
            self.spans.len(),
        );
        let missing = flags(&orphans, self.spans.len());
        self.roots = (0..self.spans.len())
            .filter(|&span| self.parents[span].is_none() && !cut[span] && !missing[span])
            .collect();
        if self.roots.is_empty() {
            self.remote_parent = orphans
                .first()
                .map(|&top| &self.spans[top])
                .filter(|top| top.may_have_remote_parent())
                .and_then(Span::parent);
        }
        let (roots, orphans): (Vec<_>, Vec<_>) = orphans.into_iter().partition(|&span| {
            let span = &self.spans[span];
            self.remote_parent.is_some()
                && span.parent() == self.remote_parent
                && span.may_have_remote_parent()
        });
        self.roots.extend(roots);
        self.orphans = orphans;
    }

    /// The id of the trace: that of the first root. `None` for a tree without spans.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        self.main_top().map(|top| self.spans[top].trace_id)
    }

    /// How many spans there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are no spans.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// All spans by index.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The span at `index`.
    ///
    /// # Panics
    ///
    /// When the index comes from another, larger tree.
    #[must_use]
    pub fn span(&self, index: usize) -> &Span {
        &self.spans[index]
    }

    /// The index of the first span for which `wanted` holds.
    #[must_use]
    pub fn find(&self, wanted: impl Fn(&Span) -> bool) -> Option<usize> {
        self.spans.iter().position(wanted)
    }

    /// The parent within the tree: `None` for roots, orphans and where a cycle was cut.
    #[must_use]
    pub fn parent(&self, index: usize) -> Option<usize> {
        self.parents[index]
    }

    /// The children by start time, then by id.
    #[must_use]
    pub fn children(&self, index: usize) -> &[usize] {
        &self.children[self.first_child[index]..self.first_child[index + 1]]
    }

    /// Spans that have no parent, or whose parent is the caller's own.
    #[must_use]
    pub fn roots(&self) -> &[usize] {
        &self.roots
    }

    /// Spans that name a parent which is not in the trace.
    #[must_use]
    pub fn orphans(&self) -> &[usize] {
        &self.orphans
    }

    /// Spans that are each other's ancestors, each cycle from its earliest span on,
    /// above which it was cut.
    #[must_use]
    pub fn cycles(&self) -> &[Vec<usize>] {
        &self.cycles
    }

    /// Spans whose id an earlier span has already.
    #[must_use]
    pub fn duplicates(&self) -> &[usize] {
        &self.duplicates
    }

    /// Whether an earlier span has the id of this one.
    #[must_use]
    pub fn is_duplicate(&self, index: usize) -> bool {
        self.is_duplicate[index]
    }

    /// The id of the span in which a caller outside of this trace called the root.
    #[must_use]
    pub fn remote_parent(&self) -> Option<SpanId> {
        self.remote_parent
    }

    /// Whether the trace is one tree: one root, no orphan, no cycle.
    #[must_use]
    pub fn has_single_root(&self) -> bool {
        self.roots.len() == 1 && self.orphans.is_empty() && self.cycles.is_empty()
    }

    /// All tops in the order in which they are shown: roots, cut cycles, orphans.
    pub fn tops(&self) -> impl Iterator<Item = usize> {
        self.roots
            .iter()
            .copied()
            .chain(self.cycles.iter().map(|cycle| cycle[0]))
            .chain(self.orphans.iter().copied())
    }

    /// The first of [`tops`](Self::tops): where a reader starts.
    #[must_use]
    pub fn main_top(&self) -> Option<usize> {
        self.tops().next()
    }

    /// Every span once, parents before children, with its depth below its top.
    pub fn walk(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut pending: Vec<_> = self.tops().map(|top| (0, top)).collect();
        pending.reverse();
        std::iter::from_fn(move || {
            let (depth, span) = pending.pop()?;
            let children = self.children(span).iter().rev();
            pending.extend(children.map(|&child| (depth + 1, child)));
            Some((depth, span))
        })
    }

    /// The services that took part, by name.
    #[must_use]
    pub fn services(&self) -> BTreeSet<&str> {
        self.spans
            .iter()
            .map(|span| &*span.service)
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// From the first start to the last end, which may be long after the root's.
    #[must_use]
    pub fn extent(&self) -> Duration {
        let intervals = (0..self.len()).map(|span| self.interval(span));
        let (start, end) = intervals.fold((u64::MAX, 0), |(start, end), interval| {
            (start.min(interval.0), end.max(interval.1))
        });
        Duration::from_nanos(end.saturating_sub(start))
    }

    /// The time in which the span had no child at work: its duration without the union
    /// of its children's. What children do after its end does not count.
    #[must_use]
    pub fn self_time(&self, index: usize) -> Duration {
        Duration::from_nanos(self.self_nanos[index])
    }

    /// [`self_time`](Self::self_time) in nanoseconds.
    #[must_use]
    pub fn self_nanos(&self, index: usize) -> u64 {
        self.self_nanos[index]
    }
}

/// What decides the index of a span. The kind stands before the end so that a CLIENT
/// span comes before the SERVER span that shares its id.
fn order(span: &Span) -> impl Ord {
    (
        span.start_unix_nano,
        span.span_id,
        span.kind,
        span.end_unix_nano,
        &span.name,
        &span.service,
        span.parent_span_id,
        span.trace_id,
    )
}

fn flags(spans: &[usize], count: usize) -> Vec<bool> {
    let mut flags = vec![false; count];
    for &span in spans {
        flags[span] = true;
    }
    flags
}

/// Spans are visited in order, so each list comes out in order.
fn child_lists(parents: &[Option<usize>]) -> (Vec<usize>, Vec<usize>) {
    let mut first_child = vec![0; parents.len() + 1];
    for &parent in parents.iter().flatten() {
        first_child[parent + 1] += 1;
    }
    for index in 0..parents.len() {
        first_child[index + 1] += first_child[index];
    }
    let mut next = first_child.clone();
    let mut children = vec![0; first_child[parents.len()]];
    for (span, parent) in parents.iter().enumerate() {
        if let Some(parent) = *parent {
            children[next[parent]] = span;
            next[parent] += 1;
        }
    }
    (first_child, children)
}

/// Sorts spans of several traces into traces.
///
/// ```
/// use trace_tree::{Span, SpanId, TraceId, TraceTree, split_traces};
///
/// let span = |trace| Span::new(TraceId::from_bytes([trace; 16]), SpanId::default(), "x");
/// let traces = split_traces([span(2), span(1), span(2)]);
/// let sizes: Vec<_> = traces.into_values().map(|spans| TraceTree::build(spans).len()).collect();
/// assert_eq!(sizes, [1, 2]);
/// ```
#[must_use]
pub fn split_traces(spans: impl IntoIterator<Item = Span>) -> BTreeMap<TraceId, Vec<Span>> {
    let mut traces: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for span in spans {
        traces.entry(span.trace_id).or_default().push(span);
    }
    traces
}
