//! Stored traces as text that does not depend on time or chance.

use trace_tree::{Kind, TraceTree};

/// Every span by service, kind and name, below its parent. Siblings stand in the order of their
/// text, because the two messages of a checkout are sent side by side.
#[must_use]
pub fn outline(tree: &TraceTree) -> String {
    let mut tops: Vec<String> = tree.tops().map(|top| branch(tree, top, 0)).collect();
    tops.sort();
    tops.concat()
}

fn branch(tree: &TraceTree, index: usize, depth: usize) -> String {
    let span = tree.span(index);
    let mut children: Vec<String> = tree
        .children(index)
        .iter()
        .map(|child| branch(tree, *child, depth + 1))
        .collect();
    children.sort();
    let events: String = span
        .events
        .iter()
        .map(|event| format!(" ({})", event.name))
        .collect();
    let link = if span.links.is_empty() { "" } else { " +link" };
    let error = if span.is_error() { " ERROR" } else { "" };
    let kind = format!("{:?}", span.kind).to_uppercase();
    format!(
        "{:indent$}{} {kind} {}{events}{link}{error}\n{}",
        "",
        span.service,
        span.name,
        children.concat(),
        indent = depth * 2,
    )
}

/// How many spans have this name.
#[must_use]
pub fn count(tree: &TraceTree, name: &str) -> usize {
    tree.spans().iter().filter(|span| span.name == name).count()
}

/// The only span with this service, kind and name.
///
/// # Panics
/// When there is none, or more than one.
#[must_use]
pub fn only(tree: &TraceTree, service: &str, kind: Kind, name: &str) -> usize {
    let found: Vec<usize> = (0..tree.len())
        .filter(|index| {
            let span = tree.span(*index);
            &*span.service == service && span.kind == kind && span.name == name
        })
        .collect();
    match found[..] {
        [index] => index,
        _ => panic!(
            "{} spans are {service} {kind:?} {name}:\n{}",
            found.len(),
            outline(tree)
        ),
    }
}
