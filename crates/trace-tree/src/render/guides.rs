//! The lines of boxes in front of labels, and the walk over a view that draws them.

use crate::fold::View;

/// How guides are drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Levels deeper than this are not indented further but numbered.
    pub(super) levels: usize,
    more: &'static str,
    none: &'static str,
    branch: &'static str,
    end: &'static str,
}

impl Style {
    pub(super) const fn wide(levels: usize) -> Self {
        Self {
            levels,
            more: "│   ",
            none: "    ",
            branch: "├── ",
            end: "└── ",
        }
    }

    pub(super) const fn narrow(levels: usize) -> Self {
        Self {
            levels,
            more: "│ ",
            none: "  ",
            branch: "├ ",
            end: "└ ",
        }
    }
}

/// What stands in front of one line.
pub(super) struct Guides {
    /// Before the label.
    pub(super) before: String,
    /// Before what continues the line below it.
    pub(super) below: String,
    /// The depth, when it is deeper than what is drawn.
    pub(super) number: Option<usize>,
}

/// Visits the lines below `tops` in reading order. With `depth` 0 the tops stand for
/// themselves, with 1 they hang below a heading.
pub(super) fn visit(
    view: &View,
    tops: &[usize],
    depth: usize,
    style: Style,
    mut line: impl FnMut(usize, Guides),
) {
    // Whether the ancestor at each depth is the last of its siblings.
    let mut last = Vec::new();
    let mut pending: Vec<_> = siblings(tops, depth).collect();
    while let Some((index, depth, is_last)) = pending.pop() {
        last.truncate(depth);
        last.resize(depth, true);
        last.push(is_last);
        let children = &view.lines()[index].children;
        line(index, guides(style, &last, !children.is_empty()));
        pending.extend(siblings(children, depth + 1));
    }
}

/// The last one first, as a stack wants them.
fn siblings(lines: &[usize], depth: usize) -> impl Iterator<Item = (usize, usize, bool)> {
    let count = lines.len();
    lines
        .iter()
        .enumerate()
        .rev()
        .map(move |(position, &line)| (line, depth, position + 1 == count))
}

fn guides(style: Style, last: &[bool], has_children: bool) -> Guides {
    let depth = last.len() - 1;
    let drawn = depth.min(style.levels);
    let mut before = String::with_capacity(4 * style.more.len() * drawn);
    for &is_last in last.iter().take(drawn).skip(1) {
        before.push_str(if is_last { style.none } else { style.more });
    }
    let mut below = before.clone();
    if depth > 0 {
        before.push_str(if last[depth] { style.end } else { style.branch });
        below.push_str(if last[depth] { style.none } else { style.more });
    }
    // Below the deepest level that is drawn, children stand in their parent's column.
    let child = if has_children && depth < style.levels {
        style.more
    } else {
        style.none
    };
    below.push_str(child);
    Guides {
        before,
        below,
        number: (depth > style.levels).then_some(depth),
    }
}
