//! Notes in OPFS, from Rust alone. This runs in a dedicated worker, because nothing else has synchronous handles.

use nidus_wasm::browser::OpfsFiles;
use nidus_wasm::{Batch, OpenOptions, Query, Result, Store, Value, code_of};
use wasm_bindgen::prelude::*;

const DIMENSION: usize = 128;

/// A real page takes its vectors from an embedding model. This one counts groups of three letters, so that it needs no
/// model.
fn embed(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; DIMENSION];
    let letters: Vec<u32> = format!(" {} ", text.to_lowercase()).chars().map(u32::from).collect();
    for three in letters.windows(3) {
        let hash = three.iter().fold(7u32, |hash, letter| hash.wrapping_mul(31).wrapping_add(*letter));
        vector[hash as usize % DIMENSION] += 1.0;
    }
    vector
}

fn told<T>(result: Result<T>) -> std::result::Result<T, JsValue> {
    result.map_err(|error| format!("{}: {error:#}", code_of(&error).name()).into())
}

#[wasm_bindgen]
pub struct Notes {
    files: OpfsFiles,
    store: Store,
}

#[wasm_bindgen]
impl Notes {
    pub async fn open(name: String) -> std::result::Result<Notes, JsValue> {
        let files = told(OpfsFiles::open(&name).await)?;
        let options = OpenOptions { dimension: Some(DIMENSION), ..Default::default() };
        let store = told(files.store(options))?;
        Ok(Notes { files, store })
    }

    /// Adds a note. It is on the disk once this resolves.
    pub async fn add(&mut self, id: String, text: String) -> std::result::Result<(), JsValue> {
        let mut batch = Batch::new();
        batch.push(&id, &[("text", Value::Str(text.clone()))]);
        told(self.store.stage_upsert("notes", 1, batch.bytes(), &embed(&text)))?;
        told(self.files.commit_store(&mut self.store).await)?;
        if self.store.dead_ratio() > 0.5 {
            told(self.files.compact(&mut self.store))?;
        }
        Ok(())
    }

    /// Returns the notes that are most like the question.
    pub fn search(&self, question: String) -> std::result::Result<Vec<String>, JsValue> {
        let hits = told(self.store.search(&embed(&question), &Query { top_k: 5, ..Default::default() }))?;
        let text = |value: Option<&Value>| if let Some(Value::Str(text)) = value { text.clone() } else { String::new() };
        Ok(hits.iter().map(|hit| text(hit.attrs.get("text"))).collect())
    }

    pub fn count(&self) -> std::result::Result<usize, JsValue> {
        told(self.store.count(Some("notes"), &Default::default()))
    }
}
