//! Documents by their numbers, for the index of words, which is a module of its own. Every exported function makes the
//! page's download larger, so there are only two.

use js_sys::{Uint8Array, Uint16Array};
use wasm_bindgen::prelude::*;

use super::error::OrThrow;
use super::results::Writer;
use super::search::JsSearch;
use super::store::JsStore;
use crate::segment::op::Reader;

#[wasm_bindgen(js_class = Store)]
impl JsStore {
    /// Answers one of the three questions that the index of words has about documents. The arguments choose which:
    ///
    /// - Documents, with `docs`: for each of them 0 if it does not exist, or 1, its collection, its id, and all its
    ///   attributes or those of `keys`.
    ///
    /// - Rows, with `keys` alone: the length of the log (u64), a checksum of its operations (u32), and for each number
    ///   of a document its row (u32), which is 2^32 - 1 if there is no such document. Nothing as long as a compaction
    ///   changes the rows.
    ///
    /// - Changes, without both: the numbers of the documents that changed since the last call, four bytes each. The
    ///   first number is 1 if they are all documents that there are, and otherwise 0. The highest bit of the others is
    ///   set if the document existed before and its texts are as they were.
    pub fn documents(&mut self, docs: Option<Box<[u32]>>, keys: Option<Box<[u8]>>) -> Result<Uint8Array, JsValue> {
        let chosen = |key: &[u8]| {
            let mut keys = keys.as_deref().map(Reader::new);
            keys.as_mut().is_none_or(|keys| std::iter::from_fn(|| keys.raw_str().ok()).any(|wanted| wanted == key))
        };
        let mut out = Writer::default();
        let mut write = || match &docs {
            None if keys.is_some() => self.0.place(&mut |bytes| out.bytes(bytes)),
            None => self.0.touched(&mut |doc| out.bytes(&doc.to_le_bytes())),
            Some(docs) => docs.iter().try_for_each(|doc| {
                let lives = self.0.has_document(*doc);
                out.bytes(&[u8::from(lives)])?;
                if !lives {
                    return Ok(());
                }
                let (collection, id, attrs) = self.0.doc_parts(*doc);
                out.str(collection)?;
                out.str(id)?;
                attrs.write_chosen(&chosen, &mut out.wire)
            }),
        };
        write().or_throw()?;
        Ok(Uint8Array::from(out.wire.as_slice()))
    }
}

#[wasm_bindgen(js_class = Search)]
impl JsSearch {
    /// With `set`, limits the search to these documents, a bit for each, and returns None. Without `set`, returns which
    /// documents the filter matches, or None if there is no filter. Each number has the bits of sixteen documents.
    pub fn among(&mut self, store: &JsStore, set: Option<Box<[u8]>>) -> Result<Option<Uint16Array>, JsValue> {
        let groups = match set {
            Some(set) => store.0.limit_search(&mut self.0, &set).map(|()| None),
            None => store.0.documents_for(&mut self.0),
        };
        Ok(groups.or_throw()?.map(|groups| Uint16Array::from(groups.as_slice())))
    }
}
