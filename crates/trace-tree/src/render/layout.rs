//! Where things go: labels left, durations in a column, notes beside them or below.

use super::{
    guides::Style,
    paint::{Paint, Tone},
    rows::Row,
};
use crate::terminal::{truncate, width, wrap};

/// Narrower than this there is no room for columns.
const NARROW: usize = 40;
/// What guides leave free: a few letters, the duration, the marks.
const KEPT_FREE: usize = 32;
/// What the column of durations leaves free for notes when they would not fit otherwise.
const FOR_NOTES: usize = 34;
/// A label is not cut shorter than this.
const MIN_LABEL: usize = 4;

pub(super) struct Layout {
    pub(super) width: usize,
    pub(super) guides: Style,
    gap: usize,
    columns: bool,
}

/// Where the durations stand.
struct Columns {
    /// Labels that end before it are padded up to it.
    label: usize,
    duration: usize,
}

impl Layout {
    pub(super) fn new(width: usize) -> Self {
        if width < NARROW {
            Self {
                width,
                guides: Style::narrow(width / 8),
                gap: 2,
                columns: false,
            }
        } else {
            let levels = (width - KEPT_FREE) / 4;
            Self {
                width,
                guides: Style::wide(levels),
                gap: 3,
                columns: true,
            }
        }
    }

    pub(super) fn write(&self, out: &mut String, rows: &[Row], paint: Paint) {
        let columns = self.find_columns(rows);
        for row in rows {
            if row.duration.is_empty() {
                self.write_heading(out, row, paint);
            } else {
                self.write_row(out, row, &columns, paint);
            }
        }
    }

    /// The column is where the longest label ends. When that pushes a note off its
    /// line, the column moves left and the few longer labels stick out.
    fn find_columns(&self, rows: &[Row]) -> Columns {
        if !self.columns {
            return Columns {
                label: 0,
                duration: 0,
            };
        }
        let with_duration = || rows.iter().filter(|row| !row.duration.is_empty());
        let duration = with_duration()
            .map(|row| width(&row.duration))
            .max()
            .unwrap_or(0);
        let label = with_duration()
            .map(|row| {
                let label = width(&row.label).min(self.room_for_label(row, duration));
                width(&row.guides) + label
            })
            .max()
            .unwrap_or(0);
        let remarks = with_duration().map(|row| {
            let remarks = row.notes.iter().filter(|note| note.mark.is_empty());
            self.marks(row)
                + remarks
                    .map(|note| self.gap + width(&note.text))
                    .sum::<usize>()
        });
        let fits = label + self.gap + duration + remarks.max().unwrap_or(0) <= self.width;
        let label = if fits {
            label
        } else {
            label.min(self.width.saturating_sub(FOR_NOTES))
        };
        Columns { label, duration }
    }

    /// The columns that the marks of a row take, which always stand beside it.
    fn marks(&self, row: &Row) -> usize {
        let marks = row
            .notes
            .iter()
            .map(|note| note.mark)
            .filter(|mark| !mark.is_empty());
        if self.columns {
            marks.map(|mark| self.gap + width(mark)).sum()
        } else {
            0
        }
    }

    fn room_for_label(&self, row: &Row, duration: usize) -> usize {
        let taken = width(&row.guides) + self.gap + duration + self.marks(row);
        self.width.saturating_sub(taken).max(MIN_LABEL)
    }

    fn write_heading(&self, out: &mut String, row: &Row, paint: Paint) {
        if row.apart {
            out.push('\n');
        }
        for line in wrap(&row.label, self.width) {
            paint.put(out, &line, row.tone);
            out.push('\n');
        }
    }

    fn write_row(&self, out: &mut String, row: &Row, columns: &Columns, paint: Paint) {
        let duration = width(&row.duration).max(columns.duration);
        let label = truncate(&row.label, self.room_for_label(row, duration));
        let mut used = width(&row.guides) + width(&label);
        paint.put(out, &row.guides, Tone::Dim);
        paint.put(out, &label, row.tone);
        let pad = columns.label.saturating_sub(used) + self.gap + duration - width(&row.duration);
        out.extend(std::iter::repeat_n(' ', pad));
        paint.put(out, &row.duration, Tone::Dim);
        used += pad + width(&row.duration);
        let mut marks_to_come = self.marks(row);
        let mut below = Vec::new();
        for note in &row.notes {
            let joint = if note.text.is_empty() || note.mark.is_empty() {
                ""
            } else {
                note.joint
            };
            let whole = format!("{}{joint}{}", note.mark, note.text);
            if !self.columns {
                below.push((whole, note.tone));
                continue;
            }
            if !note.mark.is_empty() {
                marks_to_come -= self.gap + width(note.mark);
            }
            let fits = used + self.gap + width(&whole) + marks_to_come <= self.width;
            let beside = if fits { whole.as_str() } else { note.mark };
            if !beside.is_empty() {
                out.extend(std::iter::repeat_n(' ', self.gap));
                paint.put(out, beside, note.tone);
                used += self.gap + width(beside);
            }
            if !fits {
                below.push((note.text.clone(), note.tone));
            }
        }
        trim_end(out);
        out.push('\n');
        for (text, tone) in below {
            self.write_below(out, row, &text, tone, paint);
        }
    }

    fn write_below(&self, out: &mut String, row: &Row, text: &str, tone: Tone, paint: Paint) {
        let room = self.width.saturating_sub(width(&row.below)).max(MIN_LABEL);
        for line in wrap(text, room) {
            paint.put(out, &row.below, Tone::Dim);
            paint.put(out, &line, tone);
            out.push('\n');
        }
    }

    /// Text above or below the tree.
    pub(super) fn write_text(&self, out: &mut String, text: &str, tone: Tone, paint: Paint) {
        for line in wrap(text, self.width) {
            // Facts are separated, not ended, by dots.
            paint.put(out, line.trim_end_matches(" ·"), tone);
            out.push('\n');
        }
    }
}

fn trim_end(out: &mut String) {
    out.truncate(out.trim_end_matches(' ').len());
}
