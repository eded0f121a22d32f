//! The slow mark: the span that took much longer than it usually does.
//!
//! The longest span is often the normal one, so a span is compared with the median of
//! what the same operation took itself in other traces. Without history the largest
//! self time is all there is to go by.

use std::{collections::HashMap, fmt};

use crate::{Kind, Span, TraceId, TraceTree, human::human_nanos};

/// With fewer samples a median says nothing.
const MIN_SAMPLES: usize = 5;
/// How many times the median a span must take,
const MIN_RATIO: u64 = 3;
/// and how much longer than it, so that a busy moment of the machine is no news.
const MIN_EXCESS_NANOS: u64 = 10_000_000;

/// What makes two spans the same operation: nothing of high cardinality.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Operation {
    service: String,
    name: String,
    kind: Kind,
    summary: Option<String>,
}

impl Operation {
    fn of(span: &Span) -> Self {
        Self {
            service: span.service.to_string(),
            name: span.name.clone(),
            kind: span.kind,
            summary: span.text("db.query.summary").map(str::to_owned),
        }
    }
}

/// What operations usually take, from recent traces.
///
/// A trace never counts towards its own baseline, so it may be among them.
///
/// ```
/// use trace_tree::{Baseline, Span, SpanId, TraceId, TraceTree, slow::mark};
///
/// let trace = |number: u8, millis: u64| {
///     let mut span = Span::new(TraceId::from_bytes([number; 16]), SpanId::from_bytes([1; 8]), "q");
///     span.end_unix_nano = millis * 1_000_000;
///     TraceTree::build(vec![span])
/// };
/// let recent: Vec<_> = (1..=5).map(|number| trace(number, 6)).collect();
/// let baseline = Baseline::from_traces(&recent);
///
/// assert!(mark(&trace(9, 7), Some(&baseline)).is_none());
/// let slow = mark(&trace(9, 212), Some(&baseline)).map(|mark| mark.reason.to_string());
/// assert_eq!(
///     slow.as_deref(),
///     Some("212 ms here, usually 6.0 ms: 35 times slower (median of 5)")
/// );
/// ```
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    samples: HashMap<Operation, Vec<(TraceId, u64)>>,
}

/// What one operation usually takes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    /// The median self time.
    pub median_nanos: u64,
    /// Of how many spans.
    pub samples: usize,
}

impl Baseline {
    /// A baseline of these traces.
    pub fn from_traces<'a>(traces: impl IntoIterator<Item = &'a TraceTree>) -> Self {
        let mut baseline = Self::default();
        for tree in traces {
            baseline.add(tree);
        }
        baseline
    }

    /// Adds the spans of one more trace.
    pub fn add(&mut self, tree: &TraceTree) {
        for (index, span) in tree.spans().iter().enumerate() {
            self.samples
                .entry(Operation::of(span))
                .or_default()
                .push((span.trace_id, tree.self_nanos(index)));
        }
    }

    /// Whether there is no history at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// What spans like this one take in other traces; `None` when there are too few.
    #[must_use]
    pub fn usual(&self, span: &Span) -> Option<Usual> {
        let samples = self.samples.get(&Operation::of(span))?;
        let mut others: Vec<_> = samples
            .iter()
            .filter(|(trace, _)| *trace != span.trace_id)
            .map(|&(_, self_nanos)| self_nanos)
            .collect();
        if others.len() < MIN_SAMPLES {
            return None;
        }
        others.sort_unstable();
        let samples = others.len();
        let (lower, upper) = (others[(samples - 1) / 2], others[samples / 2]);
        Some(Usual {
            median_nanos: lower.midpoint(upper),
            samples,
        })
    }
}

/// The span to look at, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowMark {
    /// The span.
    pub span: usize,
    /// Why it is marked.
    pub reason: Reason,
}

/// Why a span is marked slow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It took much longer than the same operation does in other traces.
    UsuallyTakes {
        /// Its own self time.
        self_nanos: u64,
        /// The median self time of the others.
        median_nanos: u64,
        /// How many others there are.
        samples: usize,
    },
    /// There are no other traces to compare with, and it has the largest self time.
    LargestSelfTime,
}

impl Reason {
    /// How many times longer than usual; `None` without history, and when the usual
    /// time is zero.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        match *self {
            #[expect(clippy::cast_precision_loss, reason = "shown with two figures")]
            Self::UsuallyTakes {
                self_nanos,
                median_nanos,
                ..
            } if median_nanos > 0 => Some(self_nanos as f64 / median_nanos as f64),
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LargestSelfTime => {
                formatter.write_str("largest self time; no history to compare with")
            }
            Self::UsuallyTakes {
                self_nanos,
                median_nanos,
                samples,
            } => {
                let (here, usually) = (human_nanos(*self_nanos), human_nanos(*median_nanos));
                write!(formatter, "{here} here, usually {usually}")?;
                match self.ratio() {
                    Some(ratio) if ratio < 10.0 => write!(formatter, ": {ratio:.1} times slower")?,
                    Some(ratio) => write!(formatter, ": {ratio:.0} times slower")?,
                    None => {}
                }
                write!(formatter, " (median of {samples})")
            }
        }
    }
}

/// The span that took at least three times what it usually takes, and 10 ms more; of
/// several the one that lost the most time. `None` when all is as usual.
///
/// When no operation of the trace has history, the span with the largest self time.
#[must_use]
pub fn mark(tree: &TraceTree, baseline: Option<&Baseline>) -> Option<SlowMark> {
    let mut usual: HashMap<Operation, Option<Usual>> = HashMap::new();
    let mut has_history = false;
    let mut slowest: Option<(u64, SlowMark)> = None;
    if let Some(baseline) = baseline.filter(|baseline| !baseline.is_empty()) {
        for (index, span) in tree.spans().iter().enumerate() {
            let known = usual
                .entry(Operation::of(span))
                .or_insert_with(|| baseline.usual(span));
            let Some(Usual {
                median_nanos,
                samples,
            }) = *known
            else {
                continue;
            };
            has_history = true;
            let self_nanos = tree.self_nanos(index);
            let excess = self_nanos.saturating_sub(median_nanos);
            let is_slow =
                excess >= MIN_EXCESS_NANOS && self_nanos >= median_nanos.saturating_mul(MIN_RATIO);
            if is_slow && slowest.as_ref().is_none_or(|(most, _)| excess > *most) {
                let reason = Reason::UsuallyTakes {
                    self_nanos,
                    median_nanos,
                    samples,
                };
                slowest = Some((
                    excess,
                    SlowMark {
                        span: index,
                        reason,
                    },
                ));
            }
        }
    }
    if has_history {
        return slowest.map(|(_, mark)| mark);
    }
    (0..tree.len())
        .filter(|&span| tree.self_nanos(span) > 0)
        // Of equals the earliest.
        .max_by_key(|&span| (tree.self_nanos(span), std::cmp::Reverse(span)))
        .map(|span| SlowMark {
            span,
            reason: Reason::LargestSelfTime,
        })
}
