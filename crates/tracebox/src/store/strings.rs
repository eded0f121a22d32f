//! Strings stored once and counted.
//! Keys and names are always shared; values are shared from their second sight on,
//! so that a unique order id costs its bytes and no table entry.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

/// A shared string, valid as long as the reference taken with it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Symbol(u32);

impl Symbol {
    pub(super) fn number(self) -> u64 {
        u64::from(self.0)
    }

    pub(super) fn from_number(number: u64) -> Option<Self> {
        u32::try_from(number).ok().map(Self)
    }
}

struct Slot {
    text: Arc<str>,
    references: usize,
}

pub(crate) struct Strings {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    index: HashMap<Arc<str>, Symbol>,
    /// Fingerprints of values met once. Fixed size; a collision only shares a string early.
    met_once: Box<[u32]>,
    hasher: RandomState,
    bytes: usize,
}

/// Approximate cost of a table entry: allocation header, slot and index entry.
const ENTRY_BYTES: usize = 88;
/// Inline is never larger than a reference up to this length.
const ALWAYS_INLINE: usize = 3;
const MET_ONCE_BITS: u32 = 15;

impl Strings {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: HashMap::new(),
            met_once: vec![0; 1 << MET_ONCE_BITS].into_boxed_slice(),
            hasher: RandomState::new(),
            bytes: 0,
        }
    }

    /// Shares `text` and takes one reference to it.
    pub(super) fn acquire(&mut self, text: &str) -> Symbol {
        if let Some(&symbol) = self.index.get(text) {
            if let Some(slot) = self.slot_mut(symbol) {
                slot.references += 1;
            }
            return symbol;
        }
        let text: Arc<str> = Arc::from(text);
        self.bytes += ENTRY_BYTES + text.len();
        let slot = Slot {
            text: Arc::clone(&text),
            references: 1,
        };
        let symbol = if let Some(number) = self.free.pop() {
            self.slots[number as usize] = Some(slot);
            Symbol(number)
        } else {
            let number = u32::try_from(self.slots.len())
                .expect("memory is bounded far below four billion distinct strings");
            self.slots.push(Some(slot));
            Symbol(number)
        };
        self.index.insert(text, symbol);
        symbol
    }

    /// Shares a value if it was met before; `None` says that it should be stored inline.
    pub(super) fn acquire_repeated(&mut self, text: &str) -> Option<Symbol> {
        if text.len() <= ALWAYS_INLINE {
            return None;
        }
        if self.index.contains_key(text) {
            return Some(self.acquire(text));
        }
        let hash = self.hasher.hash_one(text);
        let place = &mut self.met_once[(hash >> (64 - MET_ONCE_BITS)) as usize];
        // Zero means "empty", so the lowest bit is always set.
        let fingerprint = (hash as u32) | 1;
        if *place == fingerprint {
            return Some(self.acquire(text));
        }
        *place = fingerprint;
        None
    }

    /// Gives one reference back; the last one frees the string.
    pub(super) fn release(&mut self, symbol: Symbol) {
        let Some(slot) = self.slot_mut(symbol) else {
            return;
        };
        slot.references -= 1;
        if slot.references > 0 {
            return;
        }
        if let Some(slot) = self.slots[symbol.0 as usize].take() {
            self.bytes -= ENTRY_BYTES + slot.text.len();
            self.index.remove(&slot.text);
            self.free.push(symbol.0);
        }
    }

    pub(crate) fn get(&self, symbol: Symbol) -> &str {
        self.slots
            .get(symbol.0 as usize)
            .and_then(Option::as_ref)
            .map_or("", |slot| &slot.text)
    }

    pub(super) fn find(&self, text: &str) -> Option<Symbol> {
        self.index.get(text).copied()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn slot_mut(&mut self, symbol: Symbol) -> Option<&mut Slot> {
        self.slots.get_mut(symbol.0 as usize)?.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_shared_and_freed_with_its_last_reference() {
        let mut strings = Strings::new();
        let first = strings.acquire("http.route");
        assert_eq!(strings.acquire("http.route"), first);
        strings.release(first);
        assert_eq!(strings.get(first), "http.route");
        strings.release(first);
        assert_eq!(strings.find("http.route"), None);
        assert_eq!(strings.bytes(), 0);
        assert_eq!(strings.acquire("next"), first, "the slot is used again");
    }

    #[test]
    fn a_value_is_shared_from_its_second_sight_on() {
        let mut strings = Strings::new();
        assert_eq!(strings.acquire_repeated("postgresql"), None);
        assert!(strings.acquire_repeated("postgresql").is_some());
        assert_eq!(strings.acquire_repeated("GET"), None);
        assert_eq!(strings.acquire_repeated("GET"), None);
    }
}
