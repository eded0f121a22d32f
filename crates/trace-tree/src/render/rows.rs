//! What each line says, before it is known where there is room for it.

use std::{collections::HashMap, fmt::Write as _};

use super::{
    Options,
    guides::{self, Guides},
    layout::Layout,
    paint::Tone,
};
use crate::{
    Span, SpanId, TraceTree,
    fold::{Line, View},
    human::human_nanos,
    label,
    terminal::escape,
};

/// More names than this on one line are counted instead of shown.
const MAX_NAMES: usize = 4;

/// One line of the tree.
pub(super) struct Row {
    pub(super) guides: String,
    /// In front of lines that continue this one.
    pub(super) below: String,
    pub(super) label: String,
    pub(super) tone: Tone,
    /// Empty for headings.
    pub(super) duration: String,
    pub(super) notes: Vec<Note>,
    /// Whether an empty line sets it apart from what comes before.
    pub(super) apart: bool,
}

/// What is said beside or below a line.
pub(super) struct Note {
    /// Always beside: `✗`, `← slow`.
    pub(super) mark: &'static str,
    /// Between mark and text when they stand together.
    pub(super) joint: &'static str,
    /// Beside when it fits, else below.
    pub(super) text: String,
    pub(super) tone: Tone,
}

impl Note {
    fn remark(text: String, tone: Tone) -> Self {
        Self {
            mark: "",
            joint: "",
            text,
            tone,
        }
    }
}

/// Roots, then cut cycles, then orphans by missing parent.
pub(super) fn of_sections(
    tree: &TraceTree,
    view: &View,
    options: &Options<'_>,
    layout: &Layout,
) -> Vec<Row> {
    let mut rows = Vec::with_capacity(view.lines().len());
    let mut section = |heading: Option<String>, tops: &[usize]| {
        let depth = usize::from(heading.is_some());
        if let Some(heading) = heading {
            let apart = !rows.is_empty();
            rows.push(self::heading(heading, apart));
        }
        guides::visit(view, tops, depth, layout.guides, |line, guides| {
            rows.push(row(tree, view, &view.lines()[line], guides, options));
        });
    };
    section(None, view.roots());
    for (&line, cycle) in view.cycles().iter().zip(tree.cycles()) {
        let spans = match cycle.len() {
            1 => "a span names itself as its parent".to_owned(),
            count => format!("{count} spans are each other's parents"),
        };
        section(
            Some(format!("cycle: {spans}; cut above the earliest")),
            &[line],
        );
    }
    for (parent, lines) in by_missing_parent(tree, view) {
        section(
            Some(format!("orphan: parent {parent} is not in this trace")),
            &lines,
        );
    }
    rows
}

fn heading(label: String, apart: bool) -> Row {
    Row {
        guides: String::new(),
        below: "    ".to_owned(),
        label,
        tone: Tone::Error,
        duration: String::new(),
        notes: Vec::new(),
        apart,
    }
}

fn by_missing_parent(tree: &TraceTree, view: &View) -> Vec<(SpanId, Vec<usize>)> {
    let mut groups: Vec<(SpanId, Vec<usize>)> = Vec::new();
    let mut position = HashMap::new();
    for &line in view.orphans() {
        let top = tree.span(view.lines()[line].outermost());
        let parent = top.parent().unwrap_or_default();
        let group = *position.entry(parent).or_insert_with(|| {
            groups.push((parent, Vec::new()));
            groups.len() - 1
        });
        groups[group].1.push(line);
    }
    groups
}

fn row(tree: &TraceTree, view: &View, line: &Line, guides: Guides, options: &Options<'_>) -> Row {
    let members: Vec<_> = line
        .members
        .iter()
        .map(|&member| tree.span(member))
        .collect();
    let primary = tree.span(line.primary);
    let outermost = tree.span(line.outermost());
    let mut label = match guides.number {
        Some(depth) => format!("[{depth}] "),
        None => String::new(),
    };
    if options.full {
        label.push_str(&label::full_label(primary));
        let _ = write!(label, "  {} {}", primary.kind, escape(&primary.service));
        label.truncate(label.trim_end().len());
    } else {
        label.push_str(&label::line_label(primary, &members));
    }
    let failure = label::failure(primary, &members).map(|text| {
        let is_told_below =
            |&child: &usize| failure(tree, &view.lines()[child]).is_some_and(|below| below == text);
        // A failure that is handed up is marked all the way and told where it comes from.
        if line.children.iter().any(is_told_below) {
            String::new()
        } else {
            text
        }
    });
    let tone = match (&failure, guides.before.is_empty()) {
        (Some(_), _) => Tone::Error,
        (None, true) => Tone::Strong,
        (None, false) => Tone::Plain,
    };
    let mut notes = Vec::new();
    let failed = failure.is_some();
    notes.extend(failure.map(|text| Note {
        mark: "✗",
        joint: " ",
        text,
        tone: Tone::Error,
    }));
    if let Some(slow) = options
        .slow
        .filter(|slow| line.members.contains(&slow.span))
    {
        let text = slow.reason.to_string();
        notes.push(Note {
            mark: "← slow",
            joint: ": ",
            text,
            tone: Tone::Slow,
        });
    }
    notes.extend(remarks(tree, line).map(|text| Note::remark(text, Tone::Dim)));
    let events = event_names(&members, failed && !options.full);
    notes.extend(events.map(|text| Note::remark(text, Tone::Event)));
    if options.full {
        notes.extend(links(outermost).map(|text| Note::remark(text, Tone::Dim)));
    }
    Row {
        guides: guides.before,
        below: guides.below,
        label,
        tone,
        duration: human_nanos(outermost.duration_nanos()),
        notes,
        apart: false,
    }
}

fn failure(tree: &TraceTree, line: &Line) -> Option<String> {
    let members: Vec<_> = line
        .members
        .iter()
        .map(|&member| tree.span(member))
        .collect();
    label::failure(tree.span(line.primary), &members)
}

fn remarks(tree: &TraceTree, line: &Line) -> impl Iterator<Item = String> {
    let repeated = line.members.iter().any(|&member| tree.is_duplicate(member));
    let top = line.outermost();
    let wait = tree.parent(top).map_or(0, |parent| {
        tree.interval(top).0.saturating_sub(tree.interval(parent).1)
    });
    let repeated = repeated.then(|| "(id seen before)".to_owned());
    let wait = (wait > 0).then(|| format!("({} later)", human_nanos(wait)));
    repeated.into_iter().chain(wait)
}

/// `(event: cache miss)`, `(events: cache miss ×2, retry)`. The exception of a line
/// that is marked failed anyway would say it twice.
fn event_names(members: &[&Span], without_exceptions: bool) -> Option<String> {
    let mut events: Vec<_> = members
        .iter()
        .flat_map(|span| &span.events)
        .filter(|event| !(without_exceptions && event.name == "exception"))
        .map(|event| (event.time_unix_nano, event.name.as_str()))
        .collect();
    events.sort_by_key(|&(time, _)| time);
    let mut names: Vec<(&str, usize)> = Vec::new();
    let mut position = HashMap::new();
    for &(_, name) in &events {
        let at = *position.entry(name).or_insert_with(|| {
            names.push((name, 0));
            names.len() - 1
        });
        names[at].1 += 1;
    }
    let mut shown: Vec<_> = names
        .iter()
        .take(MAX_NAMES)
        .map(|&(name, count)| match count {
            1 => escape(name).into_owned(),
            count => format!("{} ×{count}", escape(name)),
        })
        .collect();
    if names.len() > MAX_NAMES {
        shown.push(format!("{} more", names.len() - MAX_NAMES));
    }
    match events.len() {
        0 => None,
        1 => Some(format!("(event: {})", shown[0])),
        _ => Some(format!("(events: {})", shown.join(", "))),
    }
}

fn links(span: &Span) -> Option<String> {
    let mut shown: Vec<_> = span
        .links
        .iter()
        .take(MAX_NAMES)
        .map(|link| {
            if link.trace_id == span.trace_id {
                format!("span {}", link.span_id)
            } else {
                format!("span {} of trace {}", link.span_id, link.trace_id)
            }
        })
        .collect();
    if span.links.len() > MAX_NAMES {
        shown.push(format!("{} more", span.links.len() - MAX_NAMES));
    }
    (!shown.is_empty()).then(|| format!("(linked to {})", shown.join(", ")))
}
