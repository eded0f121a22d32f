//! What a search looks for, and whether a span has it: tags in Tempo's old style
//! and the conditions of a TraceQL filter.

use std::cmp::Ordering;

use crate::store::{SpanView, TraceView, ValueView};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    /// Every tag must be found on some span of the trace.
    Tags(Vec<TagFilter>),
    /// One span must meet every condition.
    TraceQl(Vec<Condition>),
}

/// `key=value`, compared as Tempo compares tags: text by case-insensitive substring.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TagFilter {
    pub(crate) key: String,
    pub(crate) value: String,
    lowercase: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) field: Field,
    pub(crate) operator: Operator,
    pub(crate) literal: Literal,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    Name,
    Duration,
    Status,
    StatusMessage,
    Kind,
    RootName,
    RootService,
    TraceDuration,
    Span(String),
    Resource(String),
    /// Not scoped: the span's attribute, or else the resource's.
    Any(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// Nanoseconds.
    Duration(u64),
    /// OTLP's number.
    Status(u8),
    /// OTLP's number.
    Kind(u8),
}

/// OTLP's span kinds by number, as TraceQL names them.
pub(crate) const KINDS: [&str; 6] = [
    "unspecified",
    "internal",
    "server",
    "client",
    "producer",
    "consumer",
];

/// OTLP's status codes by number, as TraceQL names them.
pub(crate) const STATUSES: [&str; 3] = ["unset", "ok", "error"];

impl Filter {
    /// The spans that make the trace a hit; empty if it is none.
    pub(crate) fn matches<'a>(&self, trace: TraceView<'a>) -> Vec<SpanView<'a>> {
        match self {
            Self::TraceQl(conditions) => trace
                .spans()
                .filter(|span| conditions.iter().all(|c| c.holds(trace, *span)))
                .collect(),
            Self::Tags(tags) => tagged(tags, trace),
        }
    }
}

/// The spans with all the tags if there are any, else those with one of them,
/// provided that every tag is found somewhere.
fn tagged<'a>(tags: &[TagFilter], trace: TraceView<'a>) -> Vec<SpanView<'a>> {
    let mut found = vec![false; tags.len()];
    let (mut with_all, mut with_some) = (Vec::new(), Vec::new());
    for span in trace.spans() {
        let mut hits = 0;
        for (tag, found) in tags.iter().zip(&mut found) {
            if tag.holds(trace, span) {
                *found = true;
                hits += 1;
            }
        }
        if hits == tags.len() {
            with_all.push(span);
        } else if hits > 0 {
            with_some.push(span);
        }
    }
    if !found.iter().all(|found| *found) {
        return Vec::new();
    }
    if with_all.is_empty() {
        with_some
    } else {
        with_all
    }
}

impl TagFilter {
    pub(crate) fn new(key: &str, value: &str) -> Self {
        Self {
            key: key.to_owned(),
            value: value.to_owned(),
            lowercase: value.to_lowercase(),
        }
    }

    fn holds(&self, trace: TraceView<'_>, span: SpanView<'_>) -> bool {
        match self.key.as_str() {
            "name" => self.in_text(span.name()),
            "error" => self.value.parse() == Ok(span.is_error()),
            "status" | "status.code" => STATUSES[usize::from(span.status())] == self.lowercase,
            "kind" => KINDS[usize::from(span.kind())] == self.lowercase,
            "root.name" => trace.root().is_some_and(|root| self.in_text(root.name())),
            "root.service.name" => trace
                .root()
                .is_some_and(|root| self.in_text(root.service())),
            key => {
                self.in_value(span.attribute(key)) || self.in_value(span.resource_attribute(key))
            }
        }
    }

    fn in_value(&self, value: Option<ValueView<'_>>) -> bool {
        match value {
            Some(ValueView::Text(text)) => self.in_text(text),
            Some(ValueView::Bool(value)) => self.value.parse() == Ok(value),
            Some(ValueView::Int(number)) => self.value.parse() == Ok(number),
            Some(ValueView::Double(number)) => self.value.parse() == Ok(number),
            Some(ValueView::Other) | None => false,
        }
    }

    fn in_text(&self, text: &str) -> bool {
        if text.is_ascii() && self.lowercase.is_ascii() {
            let wanted = self.lowercase.as_bytes();
            return wanted.is_empty()
                || text
                    .as_bytes()
                    .windows(wanted.len())
                    .any(|window| window.eq_ignore_ascii_case(wanted));
        }
        text.to_lowercase().contains(&self.lowercase)
    }
}

impl Condition {
    fn holds(&self, trace: TraceView<'_>, span: SpanView<'_>) -> bool {
        let root = || trace.root();
        match &self.field {
            Field::Name => self.compare_text(span.name()),
            Field::StatusMessage => self.compare_text(span.status_message()),
            Field::Duration => self.compare_duration(span.duration()),
            Field::TraceDuration => self.compare_duration(trace.trace.duration()),
            Field::RootName => root().is_some_and(|root| self.compare_text(root.name())),
            Field::RootService => root().is_some_and(|root| self.compare_text(root.service())),
            Field::Status => match self.literal {
                Literal::Status(wanted) => self.operator.accepts(span.status().cmp(&wanted)),
                _ => false,
            },
            Field::Kind => match self.literal {
                Literal::Kind(wanted) => self.operator.accepts(span.kind().cmp(&wanted)),
                _ => false,
            },
            Field::Span(key) => self.compare(span.attribute(key)),
            Field::Resource(key) => self.compare(span.resource_attribute(key)),
            Field::Any(key) => {
                self.compare(span.attribute(key).or_else(|| span.resource_attribute(key)))
            }
        }
    }

    /// A span without the attribute, or with one of another type, never matches.
    fn compare(&self, value: Option<ValueView<'_>>) -> bool {
        let order = match (value, &self.literal) {
            (Some(ValueView::Text(text)), Literal::Text(_)) => return self.compare_text(text),
            (Some(ValueView::Bool(value)), Literal::Bool(wanted)) => Some(value.cmp(wanted)),
            (Some(ValueView::Int(value)), Literal::Int(wanted)) => Some(value.cmp(wanted)),
            (Some(ValueView::Int(value)), Literal::Float(wanted)) => {
                (value as f64).partial_cmp(wanted)
            }
            (Some(ValueView::Double(value)), Literal::Int(wanted)) => {
                value.partial_cmp(&(*wanted as f64))
            }
            (Some(ValueView::Double(value)), Literal::Float(wanted)) => value.partial_cmp(wanted),
            _ => None,
        };
        order.is_some_and(|order| self.operator.accepts(order))
    }

    fn compare_text(&self, text: &str) -> bool {
        match &self.literal {
            Literal::Text(wanted) => self.operator.accepts(text.cmp(wanted.as_str())),
            _ => false,
        }
    }

    fn compare_duration(&self, nanos: u64) -> bool {
        match self.literal {
            Literal::Duration(wanted) => self.operator.accepts(nanos.cmp(&wanted)),
            _ => false,
        }
    }
}

impl Operator {
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }
}
