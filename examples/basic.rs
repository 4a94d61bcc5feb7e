//! A store on the file system, from Rust: `cargo run --example basic`. It takes no lock, so there must be one writer
//! alone. In a browser use the module `browser`, or the npm package. A native program that needs a lock and a command
//! line can use the crate `nidus`.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> nidus_wasm::Result<()> {
    use nidus_wasm::search::Filter;
    use nidus_wasm::{Batch, OpenOptions, Query, Store};

    let dir = std::env::temp_dir().join(format!("nidus-wasm-basic-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let open = || Store::open_dir(&dir, OpenOptions { dimension: Some(3), ..Default::default() });

    // A commit makes everything that is staged durable, or nothing of it.
    let mut db = open()?;
    let mut batch = Batch::new();
    batch.push("apple", &[("kind", "fruit".into()), ("year", 2024.into())]);
    batch.push("pear", &[("kind", "fruit".into()), ("year", 2025.into())]);
    batch.push("carrot", &[("kind", "root".into()), ("year", 2025.into())]);
    db.stage_upsert("food", batch.len(), batch.bytes(), &[1.0, 0.1, 0.0, 0.9, 0.3, 0.0, 0.0, 0.2, 1.0])?;
    db.commit()?;
    drop(db);

    // After opening again, everything that was committed is there.
    let mut db = open()?;
    let query = Query { top_k: 2, filter: Filter::Glob("kind".into(), "fru*".into()), ..Default::default() };
    for hit in db.search(&[1.0, 0.2, 0.0], &query)? {
        println!("{:.3} {} {:?}", hit.score, hit.id, hit.attrs);
    }
    let deleted = db.stage_delete_where("food", &Filter::Eq("year".into(), 2025.into()))?;
    db.commit()?;
    println!("deleted {deleted}, {:?}", db.footprint());

    // Compaction removes dead rows. If the process is killed meanwhile, the next opening has the old files or the new
    // ones.
    db.compact_dir()?;
    println!("compacted, {:?}", db.footprint());
    drop(db);
    assert_eq!(open()?.count(Some("food"), &Filter::default())?, 1);
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

#[cfg(target_arch = "wasm32")]
fn main() {}
