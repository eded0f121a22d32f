#![doc = include_str!("../README.md")]

pub mod fold;
pub mod json;
pub mod label;
pub mod otlp_json;
pub mod render;
pub mod slow;
pub mod span;
pub mod tree;

mod human;
mod id;
mod terminal;
mod value;

pub use human::human_duration;
pub use id::{IdError, SpanId, TraceId};
pub use slow::{Baseline, SlowMark};
pub use span::{Event, Kind, Link, Span, Status};
pub use terminal::escape;
pub use tree::{TraceTree, split_traces};
pub use value::{Attributes, Value};
