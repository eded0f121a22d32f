//! What the crate promises, seen from outside.

mod folding;
mod golden;
mod json;
mod million;
mod otlp;
mod properties;
mod slow;
mod support;
mod tree;
