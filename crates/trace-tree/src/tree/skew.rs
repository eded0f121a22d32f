//! Clock skew: spans of two services whose clocks disagree are shifted for display and
//! analysis. Stored values stay as they are.

use super::TraceTree;
use crate::{Kind, Status};

/// A callee's span may end a little after its caller's on one and the same clock, when
/// the caller stops at the headers and the callee at the end of the body. Only an
/// overrun that is longer says something about clocks.
const OVERRUN: i128 = 5_000_000;

/// A span that is shown shifted, together with what its service did below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skew {
    /// The span at which the clocks change.
    pub span: usize,
    /// By how much it is shifted.
    pub shift_nanos: i64,
}

impl TraceTree {
    /// Where clocks disagree: spans that are shifted against their parents.
    #[must_use]
    pub fn skews(&self) -> &[Skew] {
        &self.skews
    }

    /// By how much the span is shifted.
    #[must_use]
    pub fn shift_nanos(&self, index: usize) -> i64 {
        self.shifts[index]
    }

    /// Start and end on the clock of the root, in nanoseconds since 1970; the end is
    /// never before the start.
    #[must_use]
    pub fn interval(&self, index: usize) -> (u64, u64) {
        let span = &self.spans[index];
        let shift = self.shifts[index];
        let start = span.start_unix_nano.saturating_add_signed(shift);
        (start, start.saturating_add(span.duration_nanos()))
    }

    pub(super) fn find_skew(&mut self) {
        let order: Vec<_> = self.walk().map(|(_, span)| span).collect();
        for span in order {
            let Some(parent) = self.parents[span] else {
                continue;
            };
            if self.spans[span].service == self.spans[parent].service {
                self.shifts[span] = self.shifts[parent];
                continue;
            }
            let shift_nanos = self.shift_against(span, parent);
            if shift_nanos != 0 {
                self.shifts[span] = shift_nanos;
                self.skews.push(Skew { span, shift_nanos });
            }
        }
    }

    /// The shift that puts a child of another service inside of its parent. A child
    /// that fits goes into the middle: the ways there and back are taken to be equal.
    fn shift_against(&self, child: usize, parent: usize) -> i64 {
        let (child_span, parent_span) = (&self.spans[child], &self.spans[parent]);
        let (parent_start, parent_end) = self.interval(parent);
        let (parent_start, parent_end) = (i128::from(parent_start), i128::from(parent_end));
        let start = i128::from(child_span.start_unix_nano);
        let length = i128::from(child_span.duration_nanos());
        let room = parent_end - parent_start - length;
        let waited_for = child_span.kind == Kind::Server && parent_span.kind == Kind::Client;
        // A caller that gave up ends before its callee does, and no clock is wrong.
        let gave_up = matches!(parent_span.status, Status::Error { .. });
        let ends_late = start + length > parent_end + OVERRUN;
        let shift = if start < parent_start {
            let rest = if waited_for { room.max(0) / 2 } else { 0 };
            parent_start + rest - start
        } else if waited_for && !gave_up && ends_late && room >= 0 {
            parent_start + room / 2 - start
        } else {
            0
        };
        i64::try_from(shift).unwrap_or(if shift < 0 { i64::MIN } else { i64::MAX })
    }
}
