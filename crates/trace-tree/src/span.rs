//! The neutral span: what OTLP says about one, without the wire format.

use std::{fmt, sync::Arc, time::Duration};

use serde::Serialize;

use crate::{Attributes, SpanId, TraceId, Value};

/// One span as it was stored.
///
/// ```
/// use trace_tree::{Kind, Span, SpanId, TraceId};
///
/// # fn main() -> Result<(), trace_tree::IdError> {
/// let trace_id: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
/// let mut span = Span::new(trace_id, "00f067aa0ba902b7".parse()?, "POST /checkout");
/// span.kind = Kind::Server;
/// span.service = "orders".into();
/// span.attributes.insert("tenant.id", "acme");
/// assert_eq!(span.text("tenant.id"), Some("acme"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The trace the span belongs to.
    pub trace_id: TraceId,
    /// The span's own id.
    pub span_id: SpanId,
    /// The span it was started in; all zeros means none.
    pub parent_span_id: Option<SpanId>,
    /// The name as stored.
    pub name: String,
    /// Which side of which call it is.
    pub kind: Kind,
    /// Start, in nanoseconds since 1970.
    pub start_unix_nano: u64,
    /// End, in nanoseconds since 1970.
    pub end_unix_nano: u64,
    /// How it went.
    pub status: Status,
    /// What is known about the work.
    pub attributes: Attributes,
    /// Moments on the span.
    pub events: Vec<Event>,
    /// Spans it has to do with besides its parent.
    pub links: Vec<Link>,
    /// `service.name` of the resource; empty when it says none.
    pub service: Arc<str>,
    /// All attributes of the resource, shared by the spans of one process.
    pub resource: Arc<Attributes>,
    /// The W3C `tracestate` the span was started with.
    pub trace_state: Option<String>,
    /// OTLP's flags: the W3C trace flags and whether the parent was remote.
    pub flags: u32,
}

/// OTLP's flag "it is known whether the parent was remote" and "it was".
const PARENT_IS_REMOTE: u32 = 0x100 | 0x200;

impl Span {
    /// A span with nothing but its ids and name.
    #[must_use]
    pub fn new(trace_id: TraceId, span_id: SpanId, name: impl Into<String>) -> Self {
        Self {
            trace_id,
            span_id,
            parent_span_id: None,
            name: name.into(),
            kind: Kind::default(),
            start_unix_nano: 0,
            end_unix_nano: 0,
            status: Status::default(),
            attributes: Attributes::default(),
            events: Vec::new(),
            links: Vec::new(),
            service: Arc::default(),
            resource: Arc::default(),
            trace_state: None,
            flags: 0,
        }
    }

    /// The attribute `key`.
    #[must_use]
    pub fn attr(&self, key: &str) -> Option<&Value> {
        self.attributes.get(key)
    }

    /// The attribute `key`, if it is a text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.attributes.text(key)
    }

    /// The attribute `key`, if it is a whole number.
    #[must_use]
    pub fn int(&self, key: &str) -> Option<i64> {
        self.attr(key).and_then(Value::as_int)
    }

    /// End minus start; zero when the end lies before the start.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.duration_nanos())
    }

    /// [`duration`](Self::duration) in nanoseconds.
    #[must_use]
    pub fn duration_nanos(&self) -> u64 {
        self.end_unix_nano.saturating_sub(self.start_unix_nano)
    }

    /// Whether the status says error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self.status, Status::Error { .. })
    }

    /// The parent's id; all zeros count as none.
    #[must_use]
    pub fn parent(&self) -> Option<SpanId> {
        self.parent_span_id.filter(|id| !id.is_zero())
    }

    /// Whether the parent may live in another process: entry spans do by nature,
    /// others only when their flags say so.
    pub(crate) fn may_have_remote_parent(&self) -> bool {
        match self.kind {
            Kind::Server | Kind::Consumer | Kind::Unspecified => true,
            Kind::Internal | Kind::Client | Kind::Producer => {
                self.flags & PARENT_IS_REMOTE == PARENT_IS_REMOTE
            }
        }
    }
}

/// The role of a span in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// Not said.
    #[default]
    Unspecified,
    /// Work inside of one process.
    Internal,
    /// The caller's side of a call that is waited for.
    Client,
    /// The answering side of such a call.
    Server,
    /// Sending a message.
    Producer,
    /// Receiving or processing a message.
    Consumer,
}

impl Kind {
    /// The name in capitals: `SERVER`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "UNSPECIFIED",
            Self::Internal => "INTERNAL",
            Self::Client => "CLIENT",
            Self::Server => "SERVER",
            Self::Producer => "PRODUCER",
            Self::Consumer => "CONSUMER",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// How a span ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Status {
    /// Nothing was said, which is how most spans end.
    #[default]
    Unset,
    /// Declared good by the application.
    Ok,
    /// Failed.
    Error {
        /// What was said about it; may be empty.
        message: String,
    },
}

impl Status {
    /// An error with its message.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        Self::Error {
            message: message.into(),
        }
    }

    /// `UNSET`, `OK` or `ERROR`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unset => "UNSET",
            Self::Ok => "OK",
            Self::Error { .. } => "ERROR",
        }
    }

    /// The message of an error, if one was given.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Error { message } if !message.is_empty() => Some(message),
            _ => None,
        }
    }
}

/// A moment on a span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Event {
    /// When, in nanoseconds since 1970.
    pub time_unix_nano: u64,
    /// What: `cache miss`, `exception`.
    pub name: String,
    /// What differs from one occurrence to the next.
    pub attributes: Attributes,
}

/// A span that another one has to do with, perhaps in another trace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Link {
    /// The linked span's trace.
    pub trace_id: TraceId,
    /// The linked span.
    pub span_id: SpanId,
    /// What is known about the connection.
    pub attributes: Attributes,
}
