//! What stands above the tree (which trace it is) and below it (what to know about it).

use super::{
    layout::Layout,
    paint::{Paint, Tone},
};
use crate::{
    TraceTree,
    fold::View,
    human::{human_duration, human_instant, human_nanos},
    terminal::escape,
};

pub(super) fn header(out: &mut String, tree: &TraceTree, layout: &Layout, paint: Paint) {
    let (Some(top), Some(trace_id)) = (tree.main_top(), tree.trace_id()) else {
        layout.write_text(out, "a trace without spans", Tone::Plain, paint);
        return;
    };
    let span = tree.span(top);
    let title = format!("trace {trace_id} · {}", human_instant(span.start_unix_nano));
    layout.write_text(out, &title, Tone::Strong, paint);
    let mut facts = vec![
        escape(&span.name).into_owned(),
        human_nanos(span.duration_nanos()),
    ];
    if !span.service.is_empty() {
        facts[0] = format!("{} ({})", facts[0], escape(&span.service));
    }
    let extent = human_duration(tree.extent());
    if extent != facts[1] {
        facts.push(format!("{extent} in all"));
    }
    facts.push(counted(tree.len(), "span"));
    facts.push(counted(tree.services().len(), "service"));
    layout.write_text(out, &facts.join(" · "), Tone::Dim, paint);
    out.push('\n');
}

pub(super) fn footer(
    out: &mut String,
    tree: &TraceTree,
    view: &View,
    layout: &Layout,
    paint: Paint,
) {
    let mut notes = Vec::new();
    match view.folded_away() {
        0 => {}
        1 => notes.push("1 span is folded into the line it belongs to; --full shows it".to_owned()),
        many => notes.push(format!(
            "{many} spans are folded into the lines they belong to; --full shows each"
        )),
    }
    if let Some(parent) = tree.remote_parent() {
        notes.push(format!(
            "the caller's span {parent} is not stored in this trace"
        ));
    }
    if !tree.orphans().is_empty() {
        notes.push(format!(
            "{}: the parent is missing",
            counted(tree.orphans().len(), "orphan")
        ));
    }
    if !tree.duplicates().is_empty() {
        let repeated = counted(tree.duplicates().len(), "span");
        notes.push(format!(
            "{repeated} with an id that another span has already"
        ));
    }
    let largest = tree
        .skews()
        .iter()
        .map(|skew| skew.shift_nanos.unsigned_abs())
        .max();
    if let Some(largest) = largest {
        let places = counted(tree.skews().len(), "place");
        notes.push(format!(
            "clocks disagree at {places}: order and self times are shifted by up to {}",
            human_nanos(largest)
        ));
    }
    if !notes.is_empty() {
        out.push('\n');
    }
    for note in notes {
        layout.write_text(out, &note, Tone::Dim, paint);
    }
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
