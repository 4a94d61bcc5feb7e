//! A wasm module of your own with a store in its memory. It needs none of this package's JavaScript, and no imports.

use nidus_wasm::{Batch, OpenOptions, Query, Result, Store, sink::MemorySink};

fn nearest(query: [f32; 3]) -> Result<usize> {
    let options = OpenOptions { dimension: Some(3), ..Default::default() };
    let mut db = Store::create(MemorySink::new(), MemorySink::new(), options)?;
    let mut batch = Batch::new();
    for axis in ["0", "1", "2"] {
        batch.push(axis, &[]);
    }
    db.stage_upsert("axes", batch.len(), batch.bytes(), &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0])?;
    db.commit()?;
    let hits = db.search(&query, &Query { top_k: 1, ..Default::default() })?;
    Ok(hits.first().and_then(|hit| hit.id.parse().ok()).unwrap_or(usize::MAX))
}

/// Returns the axis that is nearest to (x, y, z), or -1 if something went wrong.
// Rust calls this attribute unsafe, because no other function may have the exported name.
#[unsafe(no_mangle)]
pub extern "C" fn nearest_axis(x: f32, y: f32, z: f32) -> i32 {
    nearest([x, y, z]).map_or(-1, |axis| axis as i32)
}
