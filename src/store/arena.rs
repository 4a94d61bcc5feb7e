use crate::Result;
use crate::attrs::{Packed, Words};
use crate::error::{out_of_memory, reserve};

const CHUNK_BYTES: usize = 1 << 18;

/// Where an item of an [`Arena`] lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    chunk: u32,
    at: u32,
    id: u32,
    attrs: u32,
}

/// Ids and attributes of documents, packed into large chunks: no allocation for a document. What is overwritten or deleted is
/// freed when the arena is rebuilt, with the rows, by compaction.
#[derive(Default)]
pub struct Arena {
    chunks: Vec<Vec<u8>>,
    words: Words,
}

/// A mark to take an arena back to. Words that came since stay: they are as good for what comes next.
#[derive(Clone, Copy, Default)]
pub struct ArenaMark {
    chunks: usize,
    last: usize,
}

impl Arena {
    /// `attrs`: an encoded map, its keys ascending.
    pub fn push(&mut self, id: &str, attrs: &[u8]) -> Result<Item> {
        // Packed they are never longer.
        let size = id.len() + attrs.len();
        if self.chunks.last().is_none_or(|chunk| chunk.capacity() - chunk.len() < size) {
            let mut chunk = Vec::new();
            let room = size.max(CHUNK_BYTES);
            chunk.try_reserve_exact(room).map_err(|_| out_of_memory("ids and attributes", room))?;
            reserve(&mut self.chunks, 1, "ids and attributes")?;
            self.chunks.push(chunk);
        }
        let n = self.chunks.len() - 1;
        let chunk = &mut self.chunks[n];
        let at = chunk.len() as u32;
        chunk.extend_from_slice(id.as_bytes());
        self.words.pack(attrs, chunk)?;
        Ok(Item { chunk: n as u32, at, id: id.len() as u32, attrs: (chunk.len() - id.len()) as u32 - at })
    }

    fn bytes(&self, item: Item) -> &[u8] {
        &self.chunks[item.chunk as usize][item.at as usize..][..(item.id + item.attrs) as usize]
    }

    pub fn id(&self, item: Item) -> &str {
        // Only `push` writes ids, from a `&str`; no other bytes can be here.
        std::str::from_utf8(&self.bytes(item)[..item.id as usize]).unwrap_or_default()
    }

    pub fn id_bytes(&self, item: Item) -> &[u8] {
        &self.bytes(item)[..item.id as usize]
    }

    pub fn attrs(&self, item: Item) -> Packed<'_> {
        Packed::new(&self.bytes(item)[item.id as usize..], &self.words)
    }

    pub fn mark(&self) -> ArenaMark {
        ArenaMark { chunks: self.chunks.len(), last: self.chunks.last().map_or(0, Vec::len) }
    }

    pub fn back_to(&mut self, mark: ArenaMark) {
        self.chunks.truncate(mark.chunks);
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.truncate(mark.last);
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub fn memory_bytes(&self) -> usize {
        self.chunks.iter().map(Vec::capacity).sum::<usize>() + self.words.memory_bytes()
    }
}
