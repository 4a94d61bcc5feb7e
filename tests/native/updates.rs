//! Native reads what updates of attributes wrote, counts its dead rows as we do, and goes on from there.

use std::collections::BTreeMap;

use nidus_wasm::{Batch, OpenOptions, Store, Value};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::generate::{self, config};
use crate::pair::{assert_same_documents, batch, compact_ours, open_native, open_native_read_only, open_ours, ours};

#[derive(Clone, Debug)]
enum Write {
    Upsert(String, Vec<nidus::Record>),
    /// Changes records that are there: which one, and what happens to some of its keys.
    Update(String, Vec<(Index, Vec<(&'static str, Option<nidus::Value>)>)>),
    Delete(String, Index),
    Drop(String),
    Compact,
}

fn write(dimension: usize) -> impl Strategy<Value = Write> {
    let name = || select(generate::COLLECTIONS[..2].to_vec()).prop_map(String::from);
    let change = (select(vec!["k", "", "путь", "tag", "z"]), option::of(generate::value()));
    prop_oneof![
        5 => (name(), vec(generate::record(dimension), 1..5)).prop_map(|(name, records)| Write::Upsert(name, records)),
        8 => (name(), vec((any::<Index>(), vec(change, 0..4)), 1..4))
            .prop_map(|(name, changes)| Write::Update(name, changes)),
        1 => (name(), any::<Index>()).prop_map(|(name, one)| Write::Delete(name, one)),
        1 => name().prop_map(Write::Drop),
        1 => Just(Write::Compact),
    ]
}

fn ids(store: &Store, name: &str) -> Vec<String> {
    store.get_all(name).unwrap().into_iter().map(|record| record.id).collect()
}

proptest! {
    #![proptest_config(config(80))]

    #[test]
    fn native_reads_updates(
        (dimension, groups) in
            (1usize..20).prop_flat_map(|dimension| (Just(dimension), vec(vec(write(dimension), 1..4), 1..10))),
        transactional: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = OpenOptions { dimension: Some(dimension), transactional, ..Default::default() };
        let mut store = open_ours(dir.path(), options).unwrap();
        for group in groups {
            for write in group {
                match write {
                    Write::Upsert(name, records) => {
                        let (batch, vectors) = batch(&records);
                        store.stage_upsert(&name, batch.len(), batch.bytes(), &vectors).unwrap();
                    }
                    Write::Update(name, changes) => {
                        let there = ids(&store, &name);
                        let mut batch = Batch::new();
                        for (which, changes) in changes.iter().filter(|_| !there.is_empty()) {
                            let changes: Vec<(&str, Option<Value>)> =
                                changes.iter().map(|(key, value)| (*key, value.as_ref().map(ours))).collect();
                            batch.push_changes(&there[which.index(there.len())], &changes);
                        }
                        // An earlier write of this group may have deleted some.
                        let _ = store.stage_update(&name, batch.len(), batch.bytes());
                    }
                    Write::Delete(name, one) => {
                        let there = ids(&store, &name);
                        if !there.is_empty() {
                            store
                                .stage_delete(&name, [Ok(there[one.index(there.len())].as_str())].into_iter())
                                .unwrap();
                        }
                    }
                    Write::Drop(name) => drop(store.stage_drop(&name).unwrap()),
                    Write::Compact => {
                        store.commit().unwrap();
                        compact_ours(&mut store, dir.path());
                    }
                }
            }
            store.commit().unwrap();
            let native = open_native_read_only(dir.path(), dimension).unwrap();
            assert_same_documents(&native, &store);
            let print = native.footprint();
            prop_assert_eq!(print.rows, store.footprint().rows);
            prop_assert_eq!(print.dead_rows as f32 / print.rows.max(1) as f32, store.dead_ratio());
        }
        drop(store);
        // Native opens the store, compacts it if enough rows are dead, and writes.
        let mut native = open_native(dir.path(), dimension, true).unwrap();
        let attrs = BTreeMap::from([("k".to_string(), nidus::Value::Int(1))]);
        let record = nidus::Record { id: "a".into(), vector: vec![1.0; dimension], attrs };
        native.upsert("docs", &[record]).unwrap();
        drop(native);
        let store = open_ours(dir.path(), options).unwrap();
        prop_assert_eq!(store.recovery(), Default::default());
        let native = open_native_read_only(dir.path(), dimension).unwrap();
        assert_same_documents(&native, &store);
    }
}
