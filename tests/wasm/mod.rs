//! Functions that the tests in Node and in a browser share.

use nidus_wasm::Filter;
use nidus_wasm::internals::kernel;
use nidus_wasm::sink::{ByteSink, ByteSource};
use nidus_wasm::{Batch, Code, OpenOptions, Query, Store, Value, code_of};

pub struct Random(pub u32);

impl Random {
    pub fn bits(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Returns a number between -1 and 1.
    pub fn number(&mut self) -> f32 {
        self.bits() as i32 as f32 / 2_147_483_648.0
    }

    pub fn vector(&mut self, dimension: usize) -> Vec<f32> {
        (0..dimension).map(|_| self.number()).collect()
    }
}

pub fn contents<S: ByteSource>(mut source: S) -> Vec<u8> {
    let mut all = vec![0; ByteSource::len(&source).unwrap() as usize];
    source.read_exact_at(0, &mut all).unwrap();
    all
}

fn upsert(store: &mut Store, collection: &str, ids: std::ops::Range<i64>, random: &mut Random) {
    let mut batch = Batch::new();
    let mut vectors = Vec::new();
    for n in ids {
        let lang = if n % 2 == 0 { "rust" } else { "ünï" };
        batch.push(
            &format!("id {n}"),
            &[("lang", lang.into()), ("n", n.into()), ("list", Value::List(vec![format!("{n}")]))],
        );
        vectors.extend(random.vector(store.dimension()));
    }
    assert_eq!(store.stage_upsert(collection, batch.len(), batch.bytes(), &vectors).unwrap(), batch.len());
}

/// Uses the whole API over sinks. `open` returns the sink with a name. The same name must give the same bytes again.
/// Returns the data and the log at the end.
pub fn exercise<S: ByteSink + ByteSource + 'static>(open: impl Fn(&str) -> S) -> (Vec<u8>, Vec<u8>) {
    let mut random = Random(7);
    let options = OpenOptions { dimension: Some(5), ..Default::default() };
    let lang = |pattern: &str| Filter::Glob("lang".into(), pattern.into());

    let mut db = Store::open(open("data"), open("log"), options).unwrap();
    assert!(db.recovery().created && !db.read_only());
    assert!(db.stage_create("docs").unwrap() && !db.stage_create("docs").unwrap());
    upsert(&mut db, "docs", 0..40, &mut random);
    assert_eq!((db.count(None, &Filter::default()).unwrap(), db.collections().len()), (0, 0), "staged is not applied");
    assert!(db.staged_bytes() > 40 * 5 * 4);
    db.commit().unwrap();
    upsert(&mut db, "other", 30..45, &mut random);
    db.stage_set_meta_map("other", &[("model".into(), "m".into())].into()).unwrap();
    upsert(&mut db, "gone", 0..3, &mut random);
    db.commit().unwrap();
    assert!(db.stage_drop("gone").unwrap() && !db.stage_drop("gone").unwrap());
    assert_eq!(db.stage_delete("docs", ["id 1", "id 1", "absent", "id 2"].into_iter().map(Ok)).unwrap(), 2);
    db.commit().unwrap();
    assert_eq!(db.stage_delete_where("docs", &Filter::In("n".into(), vec![3.into(), Value::Float(4.0)])).unwrap(), 2);
    db.commit().unwrap();
    let error = db.stage_upsert("docs", 1, &[], &[0.0; 4]).unwrap_err();
    assert_eq!(code_of(&error), Code::DimensionMismatch);

    let check = |db: &Store| {
        assert_eq!(db.collections(), ["docs", "other"]);
        assert!(db.has_collection("docs") && !db.has_collection("gone"));
        assert_eq!(db.get_meta("other").get("model").map(String::as_str), Some("m"));
        assert_eq!(
            (db.count(Some("docs"), &Filter::default()).unwrap(), db.count(None, &lang("r*")).unwrap()),
            (36, 26)
        );
        assert!(db.get("docs", "id 1").unwrap().is_none());
        let found = db.get("docs", "id 7").unwrap().unwrap();
        assert_eq!((found.attrs["n"].clone(), found.vector.len()), (Value::Int(7), 5));
        assert!((kernel::norm_squared(&found.vector) - 1.0).abs() < 1e-6);
        let mut ids = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = db.records("docs", &lang("?n[!a-z]"), after.as_deref(), 7).unwrap();
            ids.extend(page.records.iter().map(|record| record.id.clone()));
            after = ids.last().cloned();
            if !page.more {
                break;
            }
        }
        assert_eq!(ids.len(), 18);
        assert!(ids.is_sorted());
        let query = Query {
            collections: Some(&["docs", "docs", "absent"]),
            top_k: 9,
            min_score: Some(-0.9),
            filter: lang("rust"),
        };
        let hits = db.search(&found.vector, &query).unwrap();
        assert_eq!(hits.len(), 9);
        assert!(
            hits.is_sorted_by(|a, b| a.score >= b.score) && hits.iter().all(|hit| hit.attrs["lang"] == "rust".into())
        );
        let best = &db.search(&found.vector, &Query { top_k: 1, ..Default::default() }).unwrap()[0];
        assert_eq!((best.collection.as_str(), best.id.as_str()), ("docs", "id 7"));
        assert!((best.score - 1.0).abs() < 1e-6);
    };
    check(&db);
    let footprint = db.footprint();
    assert_eq!(
        (footprint.rows, footprint.dead_rows, footprint.doc_count, footprint.vector_bytes),
        (58, 7, 51, 58 * 20)
    );
    assert_eq!(footprint.disk_bytes as usize, contents(open("data")).len() + contents(open("log")).len());
    drop(db);

    let read_only =
        Store::open(open("data"), open("log"), OpenOptions { read_only: true, ..Default::default() }).unwrap();
    assert_eq!(read_only.recovery(), Default::default());
    check(&read_only);
    drop(read_only);

    // The log ends with a run that was not published, and then with a half-written frame.
    let (data, log) = (contents(open("data")), contents(open("log")));
    for tail in [&[0xFF; 30][..], &log[..17]] {
        let mut sink = open("log");
        sink.append(tail).unwrap();
        drop(sink);
        let db = Store::open(open("data"), open("log"), OpenOptions::default()).unwrap();
        assert_eq!(db.recovery().log_bytes, tail.len() as u64);
        check(&db);
        drop(db);
        assert!((contents(open("data")), contents(open("log"))) == (data.clone(), log.clone()));
    }

    let mut db = Store::open(open("data"), open("log"), OpenOptions { relaxed: true, ..Default::default() }).unwrap();
    upsert(&mut db, "docs", 0..5, &mut random);
    db.commit().unwrap();
    assert!(db.held_bytes() > 0 && contents(open("log")) == log);
    db.stage_delete("docs", (0..5).map(|n| ["id 0", "id 1", "id 2", "id 3", "id 4"][n]).map(Ok)).unwrap();
    db.commit().unwrap();
    db.flush().unwrap();
    assert_eq!(db.held_bytes(), 0);
    // "id 0" was there before.
    assert_eq!(db.count(Some("docs"), &Filter::default()).unwrap(), 35);
    upsert(&mut db, "docs", 0..1, &mut random);
    db.commit().unwrap();
    db.compact_into(Box::new(open("data.1")), Box::new(open("log.1"))).unwrap();
    assert_eq!((db.footprint().dead_rows, db.failure()), (0, None));
    check_compacted(&db);
    drop(db);
    check_compacted(&Store::open(open("data.1"), open("log.1"), OpenOptions::default()).unwrap());
    (contents(open("data.1")), contents(open("log.1")))
}

fn check_compacted(db: &Store) {
    assert_eq!((db.count(None, &Filter::default()).unwrap(), db.footprint().rows), (51, 51));
    let found = db.get_all("other").unwrap();
    assert_eq!(found.len(), 15);
    let best = &db.search(&found[3].vector, &Query { top_k: 1, ..Default::default() }).unwrap()[0];
    assert_eq!((best.collection.as_str(), &best.id), ("other", &found[3].id));
}
