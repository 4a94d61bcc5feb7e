//! Operations for tests, and a model of a store that applies them to maps.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::{Query, Store, read};
use crate::search::{Filter, kernel};
use crate::segment::Run;
use crate::segment::op::Op;
use crate::{Batch, Code, Meta, Value, code_of};

#[derive(Clone, Debug)]
pub enum Act {
    Create(usize),
    Drop(usize),
    SetMeta(usize, u8),
    Upsert(usize, Vec<(u8, u8)>),
    Update(usize, Vec<(u8, u8)>),
    Delete(usize, Vec<u8>),
    DeleteWhere(usize, i64),
}

pub type Docs = BTreeMap<String, (Vec<f32>, BTreeMap<String, Value>)>;
pub type Model = BTreeMap<String, (Meta, Docs)>;

pub fn name(collection: usize) -> &'static str {
    ["a", "b", "größe"][collection]
}

pub fn id(n: u8) -> String {
    format!("id-{n}-{}", "x".repeat(n as usize * 17))
}

/// Returns a vector and attributes that differ from record to record. Some have a value that native 0.3.0 does not
/// know.
pub fn record(seed: u8, dimension: usize) -> (Vec<f32>, Vec<(&'static str, Value)>) {
    let vector = (0..dimension).map(|i| ((seed as usize * 7 + i * 13) % 31) as f32 - 15.0).collect();
    let mut attrs = vec![("z", Value::Int(i64::from(seed % 4))), ("a", Value::Str("y".repeat(seed as usize)))];
    if seed % 5 == 0 {
        attrs.push(("m", Value::Float(f64::from(seed) / 3.0)));
    }
    if seed % 8 == 7 {
        attrs.push(("f", Value::Str(frame_as_text())));
    }
    (vector, attrs)
}

/// Returns changes that differ from seed to seed. Their keys do not always ascend.
pub fn changes(seed: u8) -> Vec<(&'static str, Option<Value>)> {
    let mut changes = vec![("z", Some(Value::Int(i64::from(seed % 4))))];
    if seed % 2 == 0 {
        changes.push(("a", (seed % 3 > 0).then(|| Value::Str("w".repeat(seed as usize)))));
    }
    if seed % 5 < 2 {
        changes.push(("m", (seed % 5 == 0).then(|| Value::Float(f64::from(seed) / 7.0))));
    }
    changes
}

/// Returns a text that is itself a good frame. A search for frames behind a half-written one finds it.
fn frame_as_text() -> String {
    static TEXT: OnceLock<String> = OnceLock::new();
    let frame = |n: u32| {
        let mut run = Run::default();
        run.push(&Op::Create { collection: &n.to_string() }).unwrap();
        String::from_utf8(run.bytes().to_vec()).ok()
    };
    TEXT.get_or_init(|| (0..).find_map(frame).unwrap()).clone()
}

pub fn stage(store: &mut Store, act: &Act) -> crate::Result<usize> {
    match act {
        Act::Create(c) => store.stage_create(name(*c)).map(usize::from),
        Act::Drop(c) => store.stage_drop(name(*c)).map(usize::from),
        Act::SetMeta(c, n) => {
            store.stage_set_meta_map(name(*c), &Meta::from([("n".into(), n.to_string())])).map(|()| 0)
        }
        Act::Upsert(c, records) => {
            let (mut batch, mut vectors) = (Batch::new(), Vec::new());
            for (n, seed) in records {
                let (vector, attrs) = record(*seed, store.dimension());
                batch.push(&id(*n), &attrs);
                vectors.extend(vector);
            }
            store.stage_upsert(name(*c), records.len(), batch.bytes(), &vectors)
        }
        Act::Update(c, records) => {
            let mut batch = Batch::new();
            records.iter().for_each(|(n, seed)| batch.push_changes(&id(*n), &changes(*seed)));
            match store.stage_update(name(*c), records.len(), batch.bytes()) {
                Err(error) if code_of(&error) == Code::NotFound => Ok(0),
                staged => staged,
            }
        }
        Act::Delete(c, ids) => {
            let ids: Vec<String> = ids.iter().map(|n| id(*n)).collect();
            store.stage_delete(name(*c), ids.iter().map(|id| Ok(id.as_str())))
        }
        Act::DeleteWhere(c, n) => store.stage_delete_where(name(*c), &Filter::Eq("z".into(), Value::Int(*n))),
    }
}

pub fn apply(model: &mut Model, act: &Act, dimension: usize) -> usize {
    match act {
        Act::Create(c) => {
            let new = !model.contains_key(name(*c));
            model.entry(name(*c).into()).or_default();
            usize::from(new)
        }
        Act::Drop(c) => usize::from(model.remove(name(*c)).is_some()),
        Act::SetMeta(c, n) => {
            model.entry(name(*c).into()).or_default().0 = Meta::from([("n".into(), n.to_string())]);
            0
        }
        Act::Upsert(c, records) => {
            let docs = &mut model.entry(name(*c).into()).or_default().1;
            for (n, seed) in records {
                let (mut vector, attrs) = record(*seed, dimension);
                kernel::normalize(&mut vector);
                docs.insert(id(*n), (vector, attrs.into_iter().map(|(key, value)| (key.to_string(), value)).collect()));
            }
            records.len()
        }
        Act::Update(c, records) => {
            let Some((_, docs)) = model.get_mut(name(*c)) else { return 0 };
            if !records.iter().all(|(n, _)| docs.contains_key(&id(*n))) {
                return 0;
            }
            for (n, seed) in records {
                let Some((_, attrs)) = docs.get_mut(&id(*n)) else { continue };
                for (key, value) in changes(*seed) {
                    match value {
                        Some(value) => attrs.insert(key.to_string(), value),
                        None => attrs.remove(key),
                    };
                }
            }
            records.len()
        }
        Act::Delete(c, ids) => {
            let Some((_, docs)) = model.get_mut(name(*c)) else { return 0 };
            ids.iter().filter(|n| docs.remove(&id(**n)).is_some()).count()
        }
        Act::DeleteWhere(c, n) => {
            let Some((_, docs)) = model.get_mut(name(*c)) else { return 0 };
            let before = docs.len();
            docs.retain(|_, (_, attrs)| attrs.get("z") != Some(&Value::Int(*n)));
            before - docs.len()
        }
    }
}

pub fn state(store: &Store) -> Model {
    let docs = |name: &str| {
        let records = store.get_all(name).unwrap();
        assert_eq!(records.len(), store.count(Some(name), &Filter::default()).unwrap());
        records.into_iter().map(|record| (record.id, (record.vector, record.attrs))).collect()
    };
    let state: Model =
        store.collections().into_iter().map(|name| (name.clone(), (store.get_meta(&name), docs(&name)))).collect();
    let live: usize = state.values().map(|(_, docs)| docs.len()).sum();
    let footprint = store.footprint();
    assert_eq!((footprint.doc_count, footprint.dead_rows), (live, footprint.rows - live as u64));
    // A document that is found by its row is also found by its id: the two indices agree.
    let query: Vec<f32> = (1..=store.dimension()).map(|n| n as f32).collect();
    let hits = store.search(&query, &Query { top_k: usize::MAX, ..Query::default() }).unwrap();
    assert_eq!(hits.len(), live);
    for hit in hits {
        let (vector, attrs) = &state[&hit.collection].1[&hit.id];
        let unit = read::unit_query(&query, store.dimension()).unwrap();
        assert_eq!((hit.score, &hit.attrs), (kernel::dot(&unit, vector), attrs));
    }
    state
}
