//! Traces as they come to rest in the store, and what the same operation usually takes.

use std::time::{Duration, Instant};

use trace_tree::{Baseline, Kind, TraceTree};

use crate::tempo::Tempo;

/// How often a store is asked for a trace that is still arriving.
const POLL: Duration = Duration::from_millis(200);

/// A trace that grew by nothing for this long has arrived: twice what exporters collect for.
const QUIET: Duration = Duration::from_millis(800);

/// How many recent traces say what is usual.
const RECENT: usize = 40;

/// The trace once `enough` of it has arrived; `None` when that did not happen within `limit`.
///
/// # Errors
/// When the store does not answer.
pub async fn wait_for(
    tempo: &Tempo,
    trace_id: &str,
    limit: Duration,
    enough: impl Fn(&TraceTree) -> bool,
) -> anyhow::Result<Option<TraceTree>> {
    let deadline = Instant::now() + limit;
    loop {
        let tree = TraceTree::build(tempo.trace(trace_id).await?);
        if enough(&tree) {
            return Ok(Some(tree));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The trace once it is whole and grows no more, or as much of it as has arrived by `limit`.
///
/// # Errors
/// When the store does not answer.
pub async fn settled(tempo: &Tempo, trace_id: &str, limit: Duration) -> anyhow::Result<TraceTree> {
    let deadline = Instant::now() + limit;
    let (mut size, mut grew) = (0, Instant::now());
    loop {
        let tree = TraceTree::build(tempo.trace(trace_id).await?);
        if tree.len() != size {
            (size, grew) = (tree.len(), Instant::now());
        }
        if (is_whole(&tree) && grew.elapsed() >= QUIET) || Instant::now() >= deadline {
            return Ok(tree);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Whether every span has its parent and every message its consumer.
#[must_use]
pub fn is_whole(tree: &TraceTree) -> bool {
    let is_kind = |index: &usize, kind| tree.span(*index).kind == kind;
    tree.has_single_root()
        && (0..tree.len())
            .filter(|index| is_kind(index, Kind::Producer))
            .all(|sent| {
                tree.children(sent)
                    .iter()
                    .any(|child| is_kind(child, Kind::Consumer))
            })
}

/// What the operations of this trace's root usually take, by recent traces other than this.
///
/// # Errors
/// When the store does not answer.
pub async fn baseline(tempo: &Tempo, tree: &TraceTree) -> anyhow::Result<Baseline> {
    let mut baseline = Baseline::default();
    let Some(root) = tree.main_top() else {
        return Ok(baseline);
    };
    let root = tree.span(root);
    let tags = format!("service.name={:?} name={:?}", root.service, root.name);
    let own = root.trace_id.to_string();
    let found = tempo.search(&tags, RECENT).await?;
    for found in found
        .iter()
        .filter(|found| format!("{:0>32}", found.trace_id) != own)
    {
        baseline.add(&TraceTree::build(tempo.trace(&found.trace_id).await?));
    }
    Ok(baseline)
}
