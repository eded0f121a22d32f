//! Who is whose parent, with shared ids, missing parents and cycles sorted out.

use std::collections::HashMap;

use crate::{Kind, Span, SpanId, TraceId};

/// What was found about each span's parent; spans are named by index.
pub(super) struct Found {
    pub(super) parents: Vec<Option<usize>>,
    /// Spans whose parent is not there.
    pub(super) orphans: Vec<usize>,
    pub(super) duplicates: Vec<usize>,
    /// Each from its earliest span on; that span's parent is taken away.
    pub(super) cycles: Vec<Vec<usize>>,
}

/// The spans that share one id.
struct Slot {
    first: usize,
    second: Option<usize>,
    count: usize,
}

impl Slot {
    /// Zipkin's way: the caller's and the callee's span share one id.
    fn pair(&self, spans: &[Span]) -> Option<(usize, usize)> {
        let second = self.second.filter(|_| self.count == 2)?;
        match (spans[self.first].kind, spans[second].kind) {
            (Kind::Client, Kind::Server) => Some((self.first, second)),
            (Kind::Server, Kind::Client) => Some((second, self.first)),
            _ => None,
        }
    }
}

type Slots = HashMap<(TraceId, SpanId), Slot>;

/// Finds the parents of spans that are already in order.
pub(super) fn resolve(spans: &[Span]) -> Found {
    let mut slots = Slots::with_capacity(spans.len());
    for (index, span) in spans.iter().enumerate() {
        slots
            .entry((span.trace_id, span.span_id))
            .and_modify(|slot| {
                slot.second.get_or_insert(index);
                slot.count += 1;
            })
            .or_insert(Slot {
                first: index,
                second: None,
                count: 1,
            });
    }
    let mut found = Found {
        parents: Vec::with_capacity(spans.len()),
        orphans: Vec::new(),
        duplicates: Vec::new(),
        cycles: Vec::new(),
    };
    for (index, span) in spans.iter().enumerate() {
        let slot = &slots[&(span.trace_id, span.span_id)];
        let pair = slot.pair(spans);
        if slot.first != index && pair.is_none() {
            found.duplicates.push(index);
        }
        let parent = match pair {
            Some((client, server)) if server == index => Some(client),
            _ => named_parent(index, &slots, spans, &mut found.orphans),
        };
        found.parents.push(parent);
    }
    found.cycles = cut_cycles(&mut found.parents);
    found
}

fn named_parent(
    index: usize,
    slots: &Slots,
    spans: &[Span],
    orphans: &mut Vec<usize>,
) -> Option<usize> {
    let span = &spans[index];
    let parent = span.parent()?;
    let Some(slot) = slots.get(&(span.trace_id, parent)) else {
        orphans.push(index);
        return None;
    };
    Some(match slot.pair(spans) {
        // Work below a shared id is the callee's, unless only the caller is of its service.
        Some((client, server)) => {
            let is_callers =
                spans[client].service == span.service && spans[server].service != span.service;
            if is_callers { client } else { server }
        }
        None => slot.first,
    })
}

/// Takes away the parent of the earliest span of each cycle.
fn cut_cycles(parents: &mut [Option<usize>]) -> Vec<Vec<usize>> {
    /// Not visited yet; any other mark is the start of the walk that visited.
    const NEW: usize = usize::MAX;
    let mut visited_by = vec![NEW; parents.len()];
    let mut cycles = Vec::new();
    for start in 0..parents.len() {
        let mut span = start;
        while visited_by[span] == NEW {
            visited_by[span] = start;
            match parents[span] {
                Some(parent) => span = parent,
                None => break,
            }
        }
        // The walk met itself: `span` lies on a cycle, unless it is merely where the
        // walk ended at a top.
        if visited_by[span] == start && parents[span].is_some() {
            cycles.push(cycle_through(span, parents));
        }
    }
    for cycle in &cycles {
        parents[cycle[0]] = None;
    }
    cycles.sort_unstable_by_key(|cycle| cycle[0]);
    cycles
}

/// The spans of a cycle, the earliest first, each followed by its child.
fn cycle_through(span: usize, parents: &[Option<usize>]) -> Vec<usize> {
    let mut cycle = vec![span];
    let mut at = span;
    while let Some(parent) = parents[at].filter(|&parent| parent != span) {
        cycle.push(parent);
        at = parent;
    }
    cycle.reverse();
    let earliest = (0..cycle.len())
        .min_by_key(|&index| cycle[index])
        .unwrap_or_default();
    cycle.rotate_left(earliest);
    cycle
}
