//! One stored trace: its span records, what a search asks of it as a whole,
//! and what it costs.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::sources::SourceId;
use super::strings::Symbol;

/// The fixed part of a span. 64 bytes.
pub(crate) struct Record {
    pub(crate) id: u64,
    /// Zero for a root.
    pub(crate) parent: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) body: Box<[u8]>,
    pub(crate) name: Symbol,
    pub(crate) source: SourceId,
    pub(crate) flags: u32,
    pub(crate) kind: u8,
    pub(crate) status: u8,
}

pub(crate) struct Trace {
    pub(crate) spans: Vec<Record>,
    /// Place in the order of arrival.
    pub(super) arrival: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    root: Option<u32>,
    body_bytes: usize,
    /// Hashes of the spans, once there are too many to look through.
    known: Option<HashSet<u64>>,
    hasher: RandomState,
}

/// Map entry, place in the arrival order, allocation headers.
const TRACE_BYTES: usize = size_of::<Trace>() + 96;
const ALLOCATION_BYTES: usize = 16;
const LOOK_THROUGH: usize = 48;

impl Trace {
    pub(super) fn new() -> Self {
        Self {
            spans: Vec::new(),
            arrival: 0,
            start: u64::MAX,
            end: 0,
            root: None,
            body_bytes: 0,
            known: None,
            hasher: RandomState::new(),
        }
    }

    pub(super) fn contains(&self, id: u64, start: u64, name: Symbol) -> bool {
        match &self.known {
            Some(known) => known.contains(&self.hasher.hash_one((id, start, name))),
            None => self
                .spans
                .iter()
                .any(|span| span.id == id && span.start == start && span.name == name),
        }
    }

    pub(super) fn push(&mut self, record: Record) {
        self.start = self.start.min(record.start);
        self.end = self.end.max(record.end).max(record.start);
        self.body_bytes += record.body.len() + ALLOCATION_BYTES;
        if record.parent == 0
            && self
                .root()
                .is_none_or(|root| (record.start, record.id) < (root.start, root.id))
        {
            self.root = u32::try_from(self.spans.len()).ok();
        }
        if let Some(known) = &mut self.known {
            known.insert(self.hasher.hash_one((record.id, record.start, record.name)));
        }
        self.spans.push(record);
        if self.known.is_none() && self.spans.len() > LOOK_THROUGH {
            let hash = |span: &Record| self.hasher.hash_one((span.id, span.start, span.name));
            self.known = Some(self.spans.iter().map(hash).collect());
        }
    }

    /// The earliest span without a parent.
    pub(crate) fn root(&self) -> Option<&Record> {
        self.spans.get(self.root? as usize)
    }

    pub(crate) fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Approximate memory, without what is shared with other traces.
    pub(super) fn bytes(&self) -> usize {
        let known = self.known.as_ref().map_or(0, |known| known.capacity() * 10);
        TRACE_BYTES + self.spans.capacity() * size_of::<Record>() + self.body_bytes + known
    }
}
