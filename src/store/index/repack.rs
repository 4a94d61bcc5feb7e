//! Packs the ids and attributes of the living documents anew, in slices.

use super::super::arena::{Arena, Item};
use super::Index;
use crate::Result;
use crate::error::reserve;

/// The bytes that are packed anew in one slice. They take some milliseconds.
const REPACKED_BYTES: usize = 1 << 20;

/// The ids and attributes that are packed anew so far, in the order of the rows. Nothing may be written until all are.
#[derive(Default)]
pub struct Repack {
    arena: Arena,
    items: Vec<Item>,
    attrs: Vec<u8>,
}

impl Index {
    /// Packs a slice of the ids and attributes of the living documents `docs` anew. Returns true when all are done.
    pub fn repack(&mut self, docs: &[u32], to: &mut Repack) -> Result<bool> {
        let Repack { arena, items, attrs } = to;
        reserve(items, docs.len() - items.len(), "ids and attributes")?;
        let mut bytes = 0;
        while let Some(doc) = docs.get(items.len()) {
            if bytes > REPACKED_BYTES {
                return Ok(false);
            }
            attrs.clear();
            self.attrs(*doc).write(attrs)?;
            items.push(arena.push(self.id(*doc), attrs)?);
            bytes += attrs.len() + 64;
        }
        for (doc, item) in docs.iter().zip(items) {
            self.docs[*doc as usize].item = *item;
        }
        self.arena = std::mem::take(arena);
        Ok(true)
    }
}
