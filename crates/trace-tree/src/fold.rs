//! Lines: one per span, or folded so that one hop of a call takes one line.
//!
//! A call between services is stored as three spans that mean one thing to a reader:
//! the caller's CLIENT span, the callee's SERVER span and the business span that fills
//! it. Folded, they are one line with the business name. Every span is a member of
//! exactly one line, so nothing is lost.

use crate::{Kind, TraceTree};

/// The spans of a line and what stands below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The span that names the line.
    pub primary: usize,
    /// All spans of the line, the outermost first.
    pub members: Vec<usize>,
    /// The lines below, by index into [`View::lines`], in the order of their start.
    pub children: Vec<usize>,
}

impl Line {
    /// The span whose duration is the duration of the line.
    #[must_use]
    pub fn outermost(&self) -> usize {
        self.members[0]
    }
}

/// A tree as lines.
///
/// ```
/// use trace_tree::{Kind, Span, SpanId, TraceId, TraceTree, fold::View};
///
/// let trace = TraceId::from_bytes([1; 16]);
/// let mut server = Span::new(trace, SpanId::from_bytes([1; 8]), "POST /checkout");
/// server.kind = Kind::Server;
/// let mut business = Span::new(trace, SpanId::from_bytes([2; 8]), "handleCheckout");
/// business.kind = Kind::Internal;
/// business.parent_span_id = Some(server.span_id);
///
/// let tree = TraceTree::build(vec![server, business]);
/// let view = View::folded(&tree);
/// assert_eq!(view.lines().len(), 1);
/// assert_eq!(tree.span(view.lines()[0].primary).name, "handleCheckout");
/// ```
#[derive(Debug, Clone)]
pub struct View {
    lines: Vec<Line>,
    roots: Vec<usize>,
    cycles: Vec<usize>,
    orphans: Vec<usize>,
    line_of: Vec<usize>,
}

impl View {
    /// One line per hop.
    #[must_use]
    pub fn folded(tree: &TraceTree) -> Self {
        Self::build(tree, members)
    }

    /// One line per span.
    #[must_use]
    pub fn full(tree: &TraceTree) -> Self {
        Self::build(tree, |_, span| Members {
            primary: span,
            all: vec![span],
        })
    }

    fn build(tree: &TraceTree, group: fn(&TraceTree, usize) -> Members) -> Self {
        let mut view = Self {
            lines: Vec::new(),
            roots: Vec::new(),
            cycles: Vec::new(),
            orphans: Vec::new(),
            line_of: vec![usize::MAX; tree.len()],
        };
        // Lines are made in the order in which they are read, parents first.
        let mut pending: Vec<(usize, Option<usize>)> = Vec::new();
        for section in [Section::Root, Section::Cycle, Section::Orphan] {
            for top in section.tops(tree) {
                let first = view.lines.len();
                match section {
                    Section::Root => view.roots.push(first),
                    Section::Cycle => view.cycles.push(first),
                    Section::Orphan => view.orphans.push(first),
                }
                pending.push((top, None));
                while let Some((span, parent)) = pending.pop() {
                    view.push(tree, group(tree, span), parent, &mut pending);
                }
            }
        }
        view
    }

    fn push(
        &mut self,
        tree: &TraceTree,
        members: Members,
        parent: Option<usize>,
        pending: &mut Vec<(usize, Option<usize>)>,
    ) {
        let index = self.lines.len();
        for &member in &members.all {
            self.line_of[member] = index;
        }
        if let Some(parent) = parent {
            self.lines[parent].children.push(index);
        }
        let from = pending.len();
        for &member in &members.all {
            let lifted = tree.children(member).iter();
            let lifted = lifted.filter(|&&child| self.line_of[child] != index);
            pending.extend(lifted.map(|&child| (child, Some(index))));
        }
        // The last one pushed is shown first.
        pending[from..]
            .sort_by_key(|&(child, _)| std::cmp::Reverse((tree.interval(child).0, child)));
        self.lines.push(Line {
            primary: members.primary,
            members: members.all,
            children: Vec::new(),
        });
    }

    /// All lines in reading order.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The lines of the tree's roots.
    #[must_use]
    pub fn roots(&self) -> &[usize] {
        &self.roots
    }

    /// The lines where a cycle was cut.
    #[must_use]
    pub fn cycles(&self) -> &[usize] {
        &self.cycles
    }

    /// The lines of the orphans.
    #[must_use]
    pub fn orphans(&self) -> &[usize] {
        &self.orphans
    }

    /// The line a span is a member of.
    #[must_use]
    pub fn line_of(&self, span: usize) -> usize {
        self.line_of[span]
    }

    /// How many spans have no line of their own.
    #[must_use]
    pub fn folded_away(&self) -> usize {
        self.line_of.len() - self.lines.len()
    }
}

#[derive(Clone, Copy)]
enum Section {
    Root,
    Cycle,
    Orphan,
}

impl Section {
    fn tops(self, tree: &TraceTree) -> Vec<usize> {
        match self {
            Self::Root => tree.roots().to_vec(),
            Self::Cycle => tree.cycles().iter().map(|cycle| cycle[0]).collect(),
            Self::Orphan => tree.orphans().to_vec(),
        }
    }
}

struct Members {
    primary: usize,
    all: Vec<usize>,
}

/// The spans that are one line with `span`, which is the outermost of them.
fn members(tree: &TraceTree, span: usize) -> Members {
    let mut members = Members {
        primary: span,
        all: vec![span],
    };
    if tree.span(span).kind == Kind::Client {
        let Some(server) = only(tree, span, |tree, child| {
            tree.span(child).kind == Kind::Server
        }) else {
            return members;
        };
        members.add(server);
    }
    if matches!(
        tree.span(members.primary).kind,
        Kind::Server | Kind::Consumer
    ) && let Some(business) = only(tree, members.primary, is_business)
    {
        members.add(business);
    }
    if tree.span(members.primary).kind == Kind::Internal
        && let &[child] = tree.children(members.primary)
        && is_bare_call(tree, child)
    {
        members.all.push(child);
    }
    members
}

impl Members {
    fn add(&mut self, span: usize) {
        self.primary = span;
        self.all.push(span);
    }
}

fn only(tree: &TraceTree, parent: usize, wanted: fn(&TraceTree, usize) -> bool) -> Option<usize> {
    let mut children = tree.children(parent).iter().copied();
    let found = children.find(|&child| wanted(tree, child))?;
    children.all(|child| !wanted(tree, child)).then_some(found)
}

/// An INTERNAL span that is not the inside of a library, such as the wait for a
/// database connection.
fn is_business(tree: &TraceTree, span: usize) -> bool {
    let span = tree.span(span);
    span.kind == Kind::Internal && !is_database(span)
}

/// A call out of the trace that says nothing the span around it does not say. Database
/// calls do: what they ask for is why one looks.
fn is_bare_call(tree: &TraceTree, span: usize) -> bool {
    let is_leaf = tree.children(span).is_empty();
    let span = tree.span(span);
    is_leaf
        && span.kind == Kind::Client
        && !is_database(span)
        && span.attr("messaging.system").is_none()
}

fn is_database(span: &crate::Span) -> bool {
    span.attr("db.system.name").is_some()
        || span.attr("db.system").is_some()
        || span.attr("db.client.connection.pool.name").is_some()
}
