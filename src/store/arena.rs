use crate::Result;
use crate::attrs::{Interner, Packed};
use crate::bytes::append;
use crate::error::{out_of_memory, reserve};

const PIECE_BYTES: usize = 1 << 18;

/// The place of an item of an [`Arena`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    piece: u32,
    at: u32,
    id: u32,
    attrs: u32,
}

/// The ids and attributes of documents, packed into large pieces, so that a document needs no allocation. The bytes of
/// overwritten and deleted documents are freed when a compaction packs the arena anew.
#[derive(Default)]
pub struct Arena {
    pieces: Vec<Vec<u8>>,
    interner: Interner,
}

/// A mark that an arena can be cut back to. Values that were interned since then stay, because later documents may use
/// them, too.
#[derive(Clone, Copy, Default)]
pub struct ArenaMark {
    pieces: usize,
    last: usize,
}

impl Arena {
    /// Adds a document. `attrs` is an encoded map with ascending keys.
    pub fn push(&mut self, id: &str, attrs: &[u8]) -> Result<Item> {
        // The packed form is never longer.
        let size = id.len() + attrs.len();
        if self.pieces.last().is_none_or(|piece| piece.capacity() - piece.len() < size) {
            let mut piece = Vec::new();
            let room = size.max(PIECE_BYTES);
            piece.try_reserve_exact(room).map_err(|_| out_of_memory("ids and attributes", room))?;
            reserve(&mut self.pieces, 1, "ids and attributes")?;
            self.pieces.push(piece);
        }
        let n = self.pieces.len() - 1;
        let piece = &mut self.pieces[n];
        let at = piece.len() as u32;
        append(piece, id.as_bytes());
        self.interner.pack(attrs, piece)?;
        Ok(Item { piece: n as u32, at, id: id.len() as u32, attrs: (piece.len() - id.len()) as u32 - at })
    }

    fn bytes(&self, item: Item) -> &[u8] {
        &self.pieces[item.piece as usize][item.at as usize..][..(item.id + item.attrs) as usize]
    }

    pub fn id(&self, item: Item) -> &str {
        // Only `push` writes ids, from a `&str`, so the bytes are always UTF-8.
        std::str::from_utf8(&self.bytes(item)[..item.id as usize]).unwrap_or_default()
    }

    pub fn id_bytes(&self, item: Item) -> &[u8] {
        &self.bytes(item)[..item.id as usize]
    }

    pub fn attrs(&self, item: Item) -> Packed<'_> {
        Packed::new(&self.bytes(item)[item.id as usize..], &self.interner)
    }

    /// Returns whether a document may have a list under this key. False is certain: no document ever had one.
    pub fn may_have_list(&self, key: &str) -> bool {
        self.interner.may_have_list(key)
    }

    pub fn mark(&self) -> ArenaMark {
        ArenaMark { pieces: self.pieces.len(), last: self.pieces.last().map_or(0, Vec::len) }
    }

    pub fn back_to(&mut self, mark: ArenaMark) {
        self.pieces.truncate(mark.pieces);
        if let Some(piece) = self.pieces.last_mut() {
            piece.truncate(mark.last);
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub fn memory_bytes(&self) -> usize {
        self.pieces.iter().map(Vec::capacity).sum::<usize>() + self.interner.memory_bytes()
    }
}
