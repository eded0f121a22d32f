//! The critical path: the spans that the end of the root waited for.

use super::TraceTree;

impl TraceTree {
    /// The spans without which the root would have ended earlier, in the order of
    /// their indices.
    ///
    /// From the end of a span back to its start, the child that finished last is what
    /// was waited for, then the one that finished last before that child began, and
    /// so on down the tree. Children that begin after the span's end are not waited for.
    #[must_use]
    pub fn critical_path(&self) -> Vec<usize> {
        let Some(top) = self.main_top() else {
            return Vec::new();
        };
        let mut path = Vec::new();
        let mut pending = vec![(top, self.interval(top).1)];
        let mut by_end = Vec::new();
        while let Some((span, end)) = pending.pop() {
            path.push(span);
            let start = self.interval(span).0;
            by_end.clear();
            by_end.extend(self.children(span).iter().filter_map(|&child| {
                let (child_start, child_end) = self.interval(child);
                (child_start <= end).then_some((child_end.min(end), child_start, child))
            }));
            by_end.sort_unstable();
            let mut cursor = end;
            while let Some((child_end, child_start, child)) = by_end.pop() {
                if child_end <= cursor && child_end > start {
                    pending.push((child, child_end));
                    cursor = child_start;
                }
            }
        }
        path.sort_unstable();
        path
    }
}
