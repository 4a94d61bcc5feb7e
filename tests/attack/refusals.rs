//! Each large allocation is refused once.

use std::collections::BTreeMap;

use nidus_wasm::search::Filter;
use nidus_wasm::sink::MemorySink;
use nidus_wasm::{Batch, Code, Opening, Query, Store, Value, code_of};

use super::counting::{CALLS, GIVEN};
use super::setup::*;

/// Each large allocation is refused once, at every place of a group. That must give an error that says so, and never an
/// abort (which would end this whole program). The store is as it was.
#[test]
fn out_of_memory_is_an_error_everywhere() {
    let ids: Vec<String> = (0..900).map(|n| format!("id {n}")).collect();
    let (mut batch, vectors) = (Batch::new(), vec![0.5f32; 900 * DIMENSION]);
    ids.iter().for_each(|id| batch.push(id, &[("v", 1.into()), ("a", id.as_str().into())]));
    let mut meta = Vec::new();
    nidus_wasm::internals::put_meta(&mut meta, &(0..600).map(|n| (format!("{n}"), "m".to_string())).collect());
    let (data, log) = (MemorySink::new(), MemorySink::new());
    let mut first = Store::create(data.clone(), log.clone(), options()).unwrap();
    first.stage_upsert("a", 900, batch.bytes(), &vectors).unwrap();
    first.stage_set_meta("a", &meta).unwrap();
    first.commit().unwrap();
    let expected = state(&first);
    let (data, log) = (data.to_vec(), log.to_vec());

    let everything = |store: &mut Store| -> nidus_wasm::Result<()> {
        store.stage_upsert("a", 900, batch.bytes(), &vectors)?;
        store.stage_delete("a", ids.iter().take(450).map(|id| Ok(id.as_str())))?;
        store.stage_delete_where("a", &Filter::Eq("v".into(), 1.into()))?;
        store.stage_upsert("new", 900, batch.bytes(), &vectors)?;
        store.stage_drop("new")?;
        store.stage_upsert("a", 900, batch.bytes(), &vectors)?;
        store.stage_set_meta("new", &meta)
    };
    let mut refusals = 0;
    for n in 0.. {
        let sinks = (MemorySink::with_bytes(data.clone()), MemorySink::with_bytes(log.clone()));
        let mut opening = Opening::new(options(), data.len() as u64, log.len() as u64).unwrap();
        GIVEN.set(n);
        let fed = opening.feed_data(&data).and_then(|()| opening.feed_log(&log));
        let opened = fed.and_then(|()| opening.finish(Box::new(sinks.0.clone()), Box::new(sinks.1.clone())));
        let done = opened.and_then(|mut store| {
            let done = everything(&mut store).and_then(|()| store.write());
            if done.is_ok() {
                let calls = CALLS.get();
                store.apply();
                assert_eq!(CALLS.get(), calls);
            }
            let compacted =
                done.and_then(|()| store.compact_into(Box::new(MemorySink::new()), Box::new(MemorySink::new())));
            let refused = GIVEN.replace(u64::MAX) > n;
            if compacted.is_err() {
                assert!(store.failure().is_none());
                let left = state(&store);
                assert!(left == expected || left.len() == 2);
                store.unstage_all();
                everything(&mut store)?;
                store.commit()?;
                assert_eq!(state(&store).len(), 2);
            }
            compacted.map(|()| refused)
        });
        GIVEN.set(u64::MAX);
        match done {
            // The refusal did no harm, because it happened while the arena was packed again.
            Ok(true) => refusals += 1,
            Ok(false) => break,
            Err(error) => {
                assert_eq!(code_of(&error), Code::OutOfMemory, "{n}: {error:#}");
                refusals += 1;
            }
        }
        if sinks.1.to_vec() == log {
            assert_eq!(state(&reopen(&sinks.0, &sinks.1).unwrap()), expected);
        }
    }
    assert!(refusals > 40, "{refusals}");
}

/// Attributes of every kind under thousands of keys. Each group adds hundreds of new items to the table of values.
fn varied(n: usize) -> Vec<(String, Value)> {
    let text = |of: usize, len: usize| Value::Str(format!("{of:x>len$}"));
    let mut attrs = vec![
        (format!("key {}", n % 3000), text(n % 700, 20)),
        ("k".repeat(n % 5 * 80), text(n % 40, [0, 2, 3, 254, 255, 256, 257, 5000][n % 8])),
        ("year".into(), Value::Int(1990 + n as i64 % 30)),
        (
            "tags".into(),
            Value::List((0..n % 4).map(|i| ["", "a", "long ", "tag"][(n + i) % 4].repeat(i * 30)).collect()),
        ),
        ("when".into(), Value::DateTime(-(n as i64) << (n % 50))),
        ("w".into(), Value::Float(n as f64 / 7.0)),
        ("ok".into(), if n.is_multiple_of(3) { Value::Null } else { Value::Bool(n.is_multiple_of(2)) }),
    ];
    attrs.truncate(1 + n % 7);
    attrs
}

/// Documents are overwritten, deleted and dropped in turn, some groups are rolled back, and each large allocation is
/// refused once. Each document is always what was acknowledged last, also after a compaction and an opening. It does
/// not matter which items the table of values had room for.
#[test]
fn each_document_keeps_its_attributes_whatever_memory_is_refused() {
    const DOCS: usize = 400;
    type Expected = BTreeMap<String, BTreeMap<String, Value>>;
    let told = |store: &Store| -> Expected {
        store.get_all("a").unwrap().into_iter().map(|record| (record.id, record.attrs)).collect()
    };
    let check = |store: &Store, expected: &Expected| {
        assert_eq!(told(store), *expected);
        let asked = Filter::Eq("year".into(), 1995.0.into());
        let matching = expected.values().filter(|attrs| attrs.get("year") == Some(&Value::Int(1995))).count();
        assert_eq!(store.count(Some("a"), &asked).unwrap(), matching);
        assert_eq!(
            store.search(&[1.0, 0.5], &Query { top_k: usize::MAX, filter: asked, ..Query::default() }).unwrap().len(),
            matching
        );
    };
    let mut refusals = 0;
    for refused_at in (0..).step_by(3) {
        let (data, log) = (MemorySink::new(), MemorySink::new());
        let mut store = Store::create(data.clone(), log.clone(), options()).unwrap();
        let mut expected = Expected::new();
        GIVEN.set(refused_at);
        for round in 0..7 {
            // The memory of the test itself is not refused.
            let given = GIVEN.replace(u64::MAX);
            let (mut batch, mut next) = (Batch::new(), expected.clone());
            for n in 0..DOCS {
                let attrs = varied(n * (round + 1) + round * 1000);
                let id = format!("{}", n % (DOCS - round * 40));
                batch.push(&id, &attrs.iter().map(|(key, value)| (key.as_str(), value.clone())).collect::<Vec<_>>());
                next.insert(id, attrs.into_iter().collect());
            }
            let gone: Vec<String> = (0..DOCS).step_by(round + 2).map(|n| n.to_string()).collect();
            gone.iter().for_each(|id| drop(next.remove(id)));
            let vectors = vec![0.5f32; DOCS * DIMENSION];
            GIVEN.set(given);
            let staged = store
                .stage_upsert("a", DOCS, batch.bytes(), &vectors)
                .and_then(|_| store.stage_delete("a", gone.iter().map(|id| Ok(id.as_str()))));
            let written = staged.and_then(|_| {
                if round == 3 { Err(nidus_wasm::error(Code::Aborted, "forgotten")) } else { store.write() }
            });
            let given = GIVEN.replace(u64::MAX);
            match written {
                Ok(()) => {
                    store.apply();
                    expected = next;
                }
                Err(error) => {
                    assert!(matches!(code_of(&error), Code::OutOfMemory | Code::Aborted), "{refused_at}: {error:#}");
                    store.unstage_all();
                }
            }
            check(&store, &expected);
            GIVEN.set(given);
        }
        let given = GIVEN.replace(u64::MAX);
        check(&reopen(&data, &log).unwrap(), &expected);
        let (fresh, fresh_log) = (MemorySink::new(), MemorySink::new());
        GIVEN.set(given);
        let compacted = store.compact_into(Box::new(fresh.clone()), Box::new(fresh_log.clone()));
        let refused = GIVEN.replace(u64::MAX) > refused_at;
        check(&store, &expected);
        if compacted.is_ok() {
            check(&reopen(&fresh, &fresh_log).unwrap(), &expected);
        }
        if !refused {
            break;
        }
        refusals += 1;
    }
    assert!(refusals > 20, "{refusals}");
}
