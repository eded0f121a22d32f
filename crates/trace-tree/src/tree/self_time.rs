//! Self time: what a span did itself.

use super::TraceTree;

impl TraceTree {
    pub(super) fn all_self_nanos(&self) -> Vec<u64> {
        let mut intervals = Vec::new();
        (0..self.len())
            .map(|span| self.own_nanos(span, &mut intervals))
            .collect()
    }

    fn own_nanos(&self, span: usize, intervals: &mut Vec<(u64, u64)>) -> u64 {
        let (start, end) = self.interval(span);
        intervals.clear();
        intervals.extend(self.children(span).iter().filter_map(|&child| {
            let (child_start, child_end) = self.interval(child);
            let clipped = (child_start.max(start), child_end.min(end));
            (clipped.0 < clipped.1).then_some(clipped)
        }));
        // Sorted already unless clocks were shifted.
        intervals.sort_unstable();
        let mut covered = 0;
        let mut reached = start;
        for &(child_start, child_end) in intervals.iter() {
            if child_end > reached {
                covered += child_end - child_start.max(reached);
                reached = child_end;
            }
        }
        end - start - covered
    }
}
