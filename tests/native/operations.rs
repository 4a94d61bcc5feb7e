//! Generated sequences of operations give byte-identical files, after every group of them, and before and after
//! compaction.

use std::collections::BTreeMap;

use nidus::{Filter, Predicate, Record, Value};
use nidus_wasm::OpenOptions;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::generate::{self, config};
use crate::pair::{Pair, files, with_filter};
use crate::search::{Asked, asked, assert_same_search};

#[derive(Clone, Debug)]
enum Write {
    Create(String),
    Drop(String),
    SetMeta(String, BTreeMap<String, String>),
    Upsert(String, Vec<Record>),
    Delete(String, Vec<String>),
    /// Deletes the record with that serial number, if it is still there. It deletes only one record, because native
    /// deletes several in no fixed order.
    DeleteOne(String, Index),
}

#[derive(Clone, Debug)]
enum Step {
    /// Native makes them one by one, and we make them as one group.
    Write(Vec<Write>),
    Flush,
    Compact,
    DeleteMany(String, Filter),
    Reopen {
        auto_compact: bool,
    },
}

fn write(dimension: usize) -> impl Strategy<Value = Write> {
    let name = generate::collection;
    let meta = btree_map(generate::text(), generate::text(), 0..3);
    prop_oneof![
        2 => name().prop_map(Write::Create),
        1 => name().prop_map(Write::Drop),
        1 => (name(), meta).prop_map(|(name, meta)| Write::SetMeta(name, meta)),
        8 => (name(), vec(generate::record(dimension), 0..6)).prop_map(|(name, records)| Write::Upsert(name, records)),
        3 => (name(), vec(generate::id(), 0..5)).prop_map(|(name, ids)| Write::Delete(name, ids)),
        2 => (name(), any::<Index>()).prop_map(|(name, serial)| Write::DeleteOne(name, serial)),
    ]
}

fn step(dimension: usize) -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => vec(write(dimension), 1..5).prop_map(Step::Write),
        2 => Just(Step::Flush),
        1 => Just(Step::Compact),
        1 => (generate::collection(), generate::filter()).prop_map(|(name, filter)| Step::DeleteMany(name, filter)),
        2 => any::<bool>().prop_map(|auto_compact| Step::Reopen { auto_compact }),
    ]
}

fn apply(pair: &mut Pair, write: Write, serial: &mut i64) {
    match write {
        Write::Upsert(name, mut records) => {
            for record in &mut records {
                record.attrs.insert("serial".into(), Value::Int(*serial));
                *serial += 1;
            }
            return pair.upsert(&name, &records);
        }
        Write::DeleteOne(name, index) => {
            let filter =
                Filter(vec![Predicate::Eq("serial".into(), Value::Int(index.index(*serial as usize + 1) as i64))]);
            let (native, ours) = pair.both();
            let staged = with_filter(&filter, &mut |filter| ours.stage_delete_where(&name, &filter));
            assert_eq!(native.delete_where(&name, &filter).unwrap(), staged);
            return;
        }
        _ => {}
    }
    let (native, ours) = pair.both();
    match write {
        Write::Create(name) => {
            let new = !native.has_collection(&name);
            native.create_collection(&name).unwrap();
            assert_eq!(ours.stage_create(&name).unwrap(), new);
        }
        Write::Drop(name) => {
            let there = native.has_collection(&name);
            native.drop_collection(&name).unwrap();
            assert_eq!(ours.stage_drop(&name).unwrap(), there);
        }
        Write::SetMeta(name, meta) => {
            ours.stage_set_meta_map(&name, &meta).unwrap();
            native.set_meta(&name, meta).unwrap();
        }
        Write::Delete(name, ids) => {
            let staged = ours.stage_delete(&name, ids.iter().map(|id| Ok(id.as_str()))).unwrap();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            assert_eq!(native.delete(&name, &ids).unwrap(), staged);
        }
        Write::Upsert(..) | Write::DeleteOne(..) => unreachable!(),
    }
}

/// Returns the frames of a log, found by their lengths alone.
fn frames(mut log: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some(len) = log.first_chunk() {
        let (frame, rest) = log.split_at(u32::from_le_bytes(*len) as usize + 8);
        frames.push(frame);
        log = rest;
    }
    frames
}

fn assert_same_frames(pair: &Pair, from: usize) {
    let (native, ours) = (files(pair.native_dir.path()), files(pair.our_dir.path()));
    assert!(native.0 == ours.0 && native.1[..from] == ours.1[..from]);
    let sorted = |log| {
        let mut frames = frames(log);
        frames.sort();
        frames
    };
    assert_eq!(sorted(&native.1[from..]), sorted(&ours.1[from..]));
}

fn run(options: OpenOptions, steps: Vec<Step>, searches: &[Asked]) {
    let mut pair = Pair::new(options);
    let mut serial = 0;
    for step in steps {
        let settled = match step {
            Step::Write(writes) => {
                writes.into_iter().for_each(|write| apply(&mut pair, write, &mut serial));
                pair.commit();
                // A relaxed store holds its log back until a flush.
                !options.relaxed
            }
            Step::Flush => {
                pair.both().1.flush().unwrap();
                true
            }
            Step::Compact => {
                pair.compact();
                true
            }
            Step::DeleteMany(name, filter) => {
                pair.both().1.flush().unwrap();
                pair.assert_same_files();
                let before = files(pair.our_dir.path()).1.len();
                let (native, ours) = pair.both();
                let staged = with_filter(&filter, &mut |filter| ours.stage_delete_where(&name, &filter));
                assert_eq!(native.delete_where(&name, &filter).unwrap(), staged);
                ours.commit().unwrap();
                ours.flush().unwrap();
                assert_same_frames(&pair, before);
                // After a compaction, the order of the deletes does not show any more.
                pair.compact();
                true
            }
            Step::Reopen { auto_compact } => {
                pair.both().1.flush().unwrap();
                pair.open(auto_compact);
                true
            }
        };
        if settled {
            pair.assert_same_files();
        }
        pair.assert_same_contents();
    }
    pair.both().1.flush().unwrap();
    pair.assert_same_files();
    let search = |pair: &mut Pair| {
        let (native, ours) = pair.both();
        searches.iter().for_each(|asked| assert_same_search(native, ours, asked));
    };
    search(&mut pair);
    pair.swap();
    assert_eq!(pair.both().1.recovery(), Default::default());
    pair.assert_same_contents();
    search(&mut pair);
    pair.compact();
    pair.assert_same_files();
    pair.assert_same_contents();
    search(&mut pair);
}

proptest! {
    #![proptest_config(config(160))]

    #[test]
    fn sequences_agree(
        (dimension, steps, searches) in (1usize..40).prop_flat_map(|dimension| {
            (Just(dimension), vec(step(dimension), 1..14), vec(asked(dimension), 6))
        }),
        (relaxed, transactional) in (any::<bool>(), any::<bool>()),
    ) {
        run(OpenOptions { dimension: Some(dimension), relaxed, transactional, ..Default::default() }, steps, &searches);
    }
}
