//! The objects of the JSON, without their children.

use serde::Serialize;

use crate::{
    Attributes, Event, Kind, Link, SlowMark, Span, SpanId, TraceId, TraceTree, slow::Reason,
};

/// What is said about the whole trace.
#[derive(Serialize)]
pub(super) struct Head<'a> {
    pub(super) trace_id: Option<TraceId>,
    pub(super) span_count: usize,
    pub(super) services: Vec<&'a str>,
    pub(super) extent_ns: u64,
    pub(super) has_single_root: bool,
    pub(super) remote_parent: Option<SpanId>,
    pub(super) duplicate_count: usize,
    pub(super) max_clock_shift_ns: u64,
    pub(super) slow: Option<SlowNode<'a>>,
}

impl<'a> Head<'a> {
    pub(super) fn of(tree: &'a TraceTree, slow: Option<&'a SlowMark>) -> Self {
        let shifts = tree
            .skews()
            .iter()
            .map(|skew| skew.shift_nanos.unsigned_abs());
        Self {
            trace_id: tree.trace_id(),
            span_count: tree.len(),
            services: tree.services().into_iter().collect(),
            extent_ns: u64::try_from(tree.extent().as_nanos()).unwrap_or(u64::MAX),
            has_single_root: tree.has_single_root(),
            remote_parent: tree.remote_parent(),
            duplicate_count: tree.duplicates().len(),
            max_clock_shift_ns: shifts.max().unwrap_or_default(),
            slow: slow
                .filter(|slow| slow.span < tree.len())
                .map(|slow| SlowNode::of(tree.span(slow.span), slow)),
        }
    }
}

#[derive(Serialize)]
pub(super) struct SlowNode<'a> {
    pub(super) span_id: SpanId,
    pub(super) name: &'a str,
    pub(super) reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) median_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) samples: Option<usize>,
}

impl<'a> SlowNode<'a> {
    pub(super) fn of(span: &'a Span, slow: &SlowMark) -> Self {
        let (median_ns, samples) = match slow.reason {
            Reason::UsuallyTakes {
                median_nanos,
                samples,
                ..
            } => (Some(median_nanos), Some(samples)),
            Reason::LargestSelfTime => (None, None),
        };
        Self {
            span_id: span.span_id,
            name: &span.name,
            reason: slow.reason.to_string(),
            median_ns,
            ratio: slow.reason.ratio(),
            samples,
        }
    }
}

/// A line; its name, service and so on are those of the span that names it.
#[derive(Serialize)]
pub(super) struct Node<'a> {
    pub(super) label: String,
    pub(super) error: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<String>,
    pub(super) critical: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) slow: Option<SlowNode<'a>>,
    /// Of the outermost span of the line.
    pub(super) line_duration_ns: u64,
    /// Of all spans of the line.
    pub(super) line_self_ns: u64,
    #[serde(flatten)]
    pub(super) span: SpanNode<'a>,
    /// The other spans of the line, the outermost first.
    pub(super) folded: Vec<SpanNode<'a>>,
}

#[derive(Serialize)]
pub(super) struct SpanNode<'a> {
    pub(super) name: &'a str,
    pub(super) service: &'a str,
    pub(super) kind: Kind,
    pub(super) span_id: SpanId,
    pub(super) parent_span_id: Option<SpanId>,
    /// As text: the number is beyond what JavaScript keeps exactly.
    pub(super) start_unix_nano: String,
    pub(super) duration_ns: u64,
    pub(super) self_ns: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) clock_shift_ns: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) duplicate: bool,
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_message: Option<&'a str>,
    pub(super) attributes: &'a Attributes,
    pub(super) events: Vec<EventNode<'a>>,
    pub(super) links: Vec<LinkNode<'a>>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[derive(Serialize)]
pub(super) struct EventNode<'a> {
    pub(super) name: &'a str,
    pub(super) time_unix_nano: String,
    pub(super) attributes: &'a Attributes,
}

impl<'a> EventNode<'a> {
    pub(super) fn of(event: &'a Event) -> Self {
        Self {
            name: &event.name,
            time_unix_nano: event.time_unix_nano.to_string(),
            attributes: &event.attributes,
        }
    }
}

#[derive(Serialize)]
pub(super) struct LinkNode<'a> {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) attributes: &'a Attributes,
}

impl<'a> LinkNode<'a> {
    pub(super) fn of(link: &'a Link) -> Self {
        Self {
            trace_id: link.trace_id,
            span_id: link.span_id,
            attributes: &link.attributes,
        }
    }
}
