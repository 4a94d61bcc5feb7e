//! Stores in IndexedDB from Rust alone, in a page.
#![cfg(all(target_arch = "wasm32", feature = "indexeddb", feature = "opfs"))]

#[allow(dead_code)]
#[path = "wasm/mod.rs"]
mod wasm;
#[allow(dead_code)]
mod web;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use js_sys::{Array, Function, Object, Reflect};
use nidus_wasm::browser::{IdbFiles, IdbSink, OpfsFiles};
use nidus_wasm::sink::ByteSink;
use nidus_wasm::sink::conformance::{Place, check_place};
use nidus_wasm::{Code, OpenOptions, Result, Store};
use wasm::Random;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web::{
    D, NEW, Twin, count, drop_after, fresh, holds, js, nothing_is, number, numbers, refused, stage, stage_delete,
};

wasm_bindgen_test_configure!(run_in_browser);

/// Opens the database of a store, does `work` in one transaction, and returns its result.
async fn inside(name: &str, work: &str) -> JsValue {
    js(
        name,
        &format!(
            "const answer = (request) => new Promise((resolve, reject) => {{
                request.onsuccess = () => resolve(request.result)
                request.onerror = () => reject(request.error)
            }})
            const db = await answer(indexedDB.open('nidus-wasm:' + name))
            const transaction = db.transaction(['meta', 'extents'], 'readwrite')
            const [meta, extents] = ['meta', 'extents'].map((store) => transaction.objectStore(store))
            try {{ {work} }} finally {{ db.close() }}"
        ),
    )
    .await
}

/// Returns each extent of a file as [generation, at, length], in order.
async fn extents_of(name: &str, file: &str) -> Vec<Vec<f64>> {
    let work = format!(
        "const [keys, values] = [await answer(extents.getAllKeys()), await answer(extents.getAll())]
        return keys.map(([file, ...rest], i) => [file, ...rest, values[i].length])
            .filter(([file]) => file === '{file}').map(([, ...rest]) => rest)"
    );
    numbers(&inside(name, &work).await)
}

async fn row(name: &str) -> JsValue {
    inside(name, "return await answer(meta.get('store'))").await
}

async fn read(sink: &IdbSink) -> Vec<u8> {
    let mut all = vec![0; sink.len().unwrap() as usize];
    sink.read(0, &mut all).await.unwrap();
    all
}

async fn open(name: &str) -> (IdbFiles, Store) {
    let files = IdbFiles::open(name).await.unwrap();
    let db = files.store(NEW).await.unwrap();
    (files, db)
}

/// Makes the next transaction that puts an extent end in a certain way, or tells when it has put one.
async fn next_put(fault: &str) {
    js(
        fault,
        "const proto = IDBObjectStore.prototype
        const put = proto.put
        let planned
        globalThis.planned = new Promise((resolve) => (planned = resolve))
        proto.put = function (value, key) {
            if (!(value instanceof Uint8Array)) return put.call(this, value, key)
            proto.put = put
            planned()
            if (name === 'throw') throw new DOMException('no room', 'QuotaExceededError')
            const request = put.call(this, value, key)
            if (name === 'abort') queueMicrotask(() => this.transaction.abort())
            if (name === 'vanish') {
                // In this case a browser closes the connection, and no other event ever comes.
                const { db } = this.transaction
                this.transaction.oncomplete = this.transaction.onabort = null
                setTimeout(() => db.dispatchEvent(new Event('close')), 20)
            }
            return request
        }",
    )
    .await;
}

struct Database {
    name: String,
    files: Option<IdbFiles>,
}

impl Place for Database {
    type Sink = IdbSink;

    async fn open(&mut self) -> Result<IdbSink> {
        if let Some(files) = self.files.take() {
            files.close().await?;
        }
        let files = IdbFiles::open(&self.name).await?;
        let (_, log) = files.pair()?;
        self.files = Some(files);
        Ok(log)
    }

    async fn read(&mut self, sink: &mut IdbSink, at: u64, out: &mut [u8]) -> Result<()> {
        sink.read(at, out).await
    }

    async fn commit(&mut self) -> Result<()> {
        self.files.as_ref().unwrap().commit().await
    }
}

#[wasm_bindgen_test]
async fn indexeddb_conforms() {
    check_place(&mut Database { name: fresh(), files: None }).await.unwrap();
}

#[wasm_bindgen_test]
async fn a_store_has_the_bytes_of_one_in_memory() {
    let name = fresh();
    let (mut files, mut db) = open(&name).await;
    let mut twin = Twin::new(true);
    assert_eq!((db.recovery().created, files.pending_bytes()), (true, 0));
    for round in 0..40 {
        for db in [&mut db, &mut twin.db] {
            stage(db, round * 20..round * 20 + 30);
            stage_delete(db, round * 10..round * 10 + 3);
        }
        files.commit_store(&mut db).await.unwrap();
        twin.db.commit().unwrap();
        if round % 16 == 9 {
            files.compact(&mut db).await.unwrap();
            twin.compact();
        }
        if round % 8 == 7 {
            drop(db);
            files.close().await.unwrap();
            (files, db) = open(&name).await;
            assert_eq!(count(&db), count(&twin.db));
        }
        let (data, log) = files.pair().unwrap();
        assert!(read(&data).await == twin.data.to_vec(), "data, round {round}");
        assert!(read(&log).await == twin.log.to_vec(), "log, round {round}");
    }
    assert_eq!(number(&row(&name).await, "generation"), 2.0);
    for file in ["data", "log"] {
        let mut end = 0.0;
        for extent in extents_of(&name, file).await {
            assert_eq!((extent[0], extent[1]), (2.0, end));
            end += extent[2];
        }
        assert_eq!(end, number(&row(&name).await, file));
    }
}

/// The TypeScript host's own buffer, over a map in place of the database.
fn typescript() -> Object {
    let code = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/target/nidus-wasm/idb-buffer.js"));
    Function::new_no_args(&format!("{code}; return idb.database()")).call0(&JsValue::NULL).unwrap().unchecked_into()
}

fn call(object: &JsValue, method: &str, args: &[JsValue]) -> JsValue {
    let args: Array = args.iter().collect();
    Reflect::get(object, &method.into()).unwrap().unchecked_into::<Function>().apply(object, &args).unwrap()
}

#[wasm_bindgen_test]
async fn extents_are_those_of_the_typescript_host() {
    let name = fresh();
    let map = typescript();
    let mut handle = call(&map, "open", &[]);
    let mut files = IdbFiles::open(&name).await.unwrap();
    let mut log = files.pair().unwrap().1;
    let mut random = Random(5);
    for round in 0..500u32 {
        let size = match random.bits() % 150 {
            0 => 3_000_000 + random.bits() % 1000,
            1..=3 => 20_000 + random.bits() % 30_000,
            4..=130 => random.bits() % 900,
            _ => 0,
        };
        let bytes: Vec<u8> = (0..size).map(|i| (i * 7 + round) as u8).collect();
        let len = ByteSink::len(&log).unwrap();
        if random.bits() % 40 == 0 {
            let to = len - len.min(u64::from(random.bits() % 20_000));
            log.truncate_to(to).unwrap();
            call(&handle, "truncate", &[(to as f64).into()]);
        }
        let at = Object::new();
        Reflect::set(&at, &"at".into(), &(ByteSink::len(&log).unwrap() as f64).into()).unwrap();
        log.append(&bytes).unwrap();
        call(&handle, "write", &[js_sys::Uint8Array::from(&bytes[..]).into(), at.into()]);
        if random.bits() % 3 > 0 {
            files.commit().await.unwrap();
            call(&handle, "flush", &[]);
        }
        if random.bits() % 30 == 0 {
            drop(log);
            files.close().await.unwrap();
            files = IdbFiles::open(&name).await.unwrap();
            log = files.pair().unwrap().1;
            call(&handle, "flush", &[]);
            handle = call(&map, "open", &[]);
        }
        if round % 10 == 9 {
            files.commit().await.unwrap();
            call(&handle, "flush", &[]);
            let ours: Vec<_> = extents_of(&name, "log").await.into_iter().map(|extent| extent[1..].to_vec()).collect();
            assert_eq!(ours, numbers(&call(&map, "extents", &[])), "round {round}");
        }
    }
    assert!(call(&map, "merges", &[]).as_f64().unwrap() > 5.0);
}

#[wasm_bindgen_test]
async fn a_failed_commit_loses_nothing() {
    for (fault, code) in [("throw", Code::QuotaExceeded), ("abort", Code::StorageFailed)] {
        let name = fresh();
        let (files, mut db) = open(&name).await;
        stage(&mut db, 0..5);
        files.commit_store(&mut db).await.unwrap();
        let before = (extents_of(&name, "data").await, extents_of(&name, "log").await);

        // The buffers alone: what was written waits, and a later commit writes it.
        stage(&mut db, 5..8);
        db.commit().unwrap();
        let waits = files.pending_bytes();
        next_put(fault).await;
        refused(files.commit().await, code, "");
        assert_eq!((files.pending_bytes(), waits > 0), (waits, true));
        assert_eq!((extents_of(&name, "data").await, extents_of(&name, "log").await), before);
        stage(&mut db, 8..10);
        db.commit().unwrap();
        files.commit().await.unwrap();
        assert_eq!(files.pending_bytes(), 0);

        // The store: it is as it was before, and goes on.
        stage(&mut db, 10..12);
        next_put(fault).await;
        refused(files.commit_store(&mut db).await, code, "");
        assert_eq!(files.pending_bytes(), 0);
        holds(&db, 0..10);
        stage(&mut db, 10..13);
        files.commit_store(&mut db).await.unwrap();
        drop(db);
        files.close().await.unwrap();
        holds(&open(&name).await.1, 0..13);
    }
}

#[wasm_bindgen_test]
async fn a_failed_compaction_leaves_the_store() {
    let name = fresh();
    let (files, mut db) = open(&name).await;
    stage(&mut db, 0..50);
    files.commit_store(&mut db).await.unwrap();
    stage_delete(&mut db, 40..50);
    files.commit_store(&mut db).await.unwrap();
    next_put("throw").await;
    refused(files.compact(&mut db).await, Code::QuotaExceeded, "");
    assert!(db.failure().is_none());
    assert_eq!(extents_of(&name, "data").await.last().unwrap()[0], 0.0);
    stage(&mut db, 40..45);
    files.commit_store(&mut db).await.unwrap();
    files.compact(&mut db).await.unwrap();
    holds(&db, 0..45);
    drop(db);
    files.close().await.unwrap();
    let (_files, db) = open(&name).await;
    assert_eq!(db.footprint().rows, 45);
    holds(&db, 0..45);
}

#[wasm_bindgen_test]
async fn large_files_come_back_in_pieces() {
    let name = fresh();
    let options = OpenOptions { dimension: Some(384), ..Default::default() };
    let files = IdbFiles::open(&name).await.unwrap();
    let mut db = files.store(options).await.unwrap();
    for from in (0..6000).step_by(3000) {
        stage(&mut db, from..from + 3000);
        files.commit_store(&mut db).await.unwrap();
    }
    assert!(extents_of(&name, "data").await.iter().all(|extent| extent[2] <= 1_048_576.0));
    stage_delete(&mut db, 0..1000);
    files.commit_store(&mut db).await.unwrap();
    // The new pair is larger than what a compaction keeps in memory.
    files.compact(&mut db).await.unwrap();
    drop(db);
    files.close().await.unwrap();
    let files = IdbFiles::open_existing(&name).await.unwrap();
    let db = files.store(OpenOptions::default()).await.unwrap();
    assert_eq!((count(&db), db.footprint().rows), (5000, 5000));
    let record = db.get("docs", "id 4321").unwrap().unwrap();
    // A row in the middle of the data, over the border of two extents or not: the same bytes.
    let (data, _) = files.pair().unwrap();
    let all = read(&data).await;
    for at in [0, 1, 1_000_000, 1_048_576, 1_048_575, 5_000_000, all.len() - 4096] {
        let mut part = vec![0; 4096];
        data.read(at as u64, &mut part).await.unwrap();
        assert!(part == all[at..at + 4096], "{at}");
    }
    assert!(all.windows(4).any(|four| four == record.vector[0].to_le_bytes()));
}

#[wasm_bindgen_test]
async fn commits_may_overlap_and_futures_may_be_dropped() {
    let name = fresh();
    let files = IdbFiles::open(&name).await.unwrap();
    let (mut data, _) = files.pair().unwrap();
    let mut expected = Vec::new();
    let mut add = |data: &mut IdbSink, byte: u8, size: usize| {
        data.append(&vec![byte; size]).unwrap();
        expected.extend(vec![byte; size]);
    };
    let poll = |future: std::pin::Pin<&mut dyn Future<Output = Result<()>>>| {
        assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    };
    add(&mut data, 1, 100);
    // The transaction goes on without its future.
    poll(pin!(files.commit()));
    add(&mut data, 2, 200);
    let mut second = Box::pin(files.commit());
    poll(second.as_mut());
    add(&mut data, 3, 2_000_000);
    let third = files.commit();
    // What is not committed yet can still be overwritten, also while a commit is under way.
    data.publish(98, [7, 8, 9, 9]).unwrap();
    third.await.unwrap();
    second.await.unwrap();
    expected[98..102].copy_from_slice(&[7, 8, 9, 9]);
    assert!(read(&data).await == expected);
    files.commit().await.unwrap();
    assert_eq!(files.pending_bytes(), 0);

    // What a commit under way writes is cut off, and something else is written there.
    data.append(&[4; 1000]).unwrap();
    expected.extend([4; 1000]);
    next_put("is planned").await;
    let mut fourth = Box::pin(files.commit());
    poll(fourth.as_mut());
    js("", "await planned").await;
    let end = expected.len() - 1300;
    data.truncate_to(end as u64).unwrap();
    expected.truncate(end);
    data.append(&[5; 10]).unwrap();
    expected.extend([5; 10]);
    fourth.await.unwrap();
    assert_eq!(files.pending_bytes(), 10);
    assert!(read(&data).await == expected);
    drop(data);
    files.close().await.unwrap();
    let files = IdbFiles::open(&name).await.unwrap();
    assert!(read(&files.pair().unwrap().0).await == expected);
    assert!(number(&row(&name).await, "cuts") >= 1.0);
}

#[wasm_bindgen_test]
async fn a_dropped_commit_of_a_store_fails_the_store() {
    let (files, mut db) = open(&fresh()).await;
    stage(&mut db, 0..3);
    {
        let commit = pin!(files.commit_store(&mut db));
        assert!(commit.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert!(db.failure().unwrap().contains("dropped"));
}

#[wasm_bindgen_test]
async fn a_store_has_one_writer() {
    let name = fresh();
    let (files, mut db) = open(&name).await;
    refused(IdbFiles::open(&name).await, Code::Locked, "open elsewhere");
    // A tab without Web Locks takes over. This writer must not overwrite what that one has.
    inside(&name, "await answer(meta.put({ ...(await answer(meta.get('store'))), epoch: 'other' }, 'store'))").await;
    stage(&mut db, 0..3);
    refused(files.commit_store(&mut db).await, Code::Failed, "taken over");
    assert_eq!(extents_of(&name, "log").await, Vec::<Vec<f64>>::new());
    assert!(db.failure().is_some());
    refused(files.commit().await, Code::Failed, "taken over");
    drop(db);
    files.close().await.unwrap();
    // The lock is free again.
    open(&name).await;
}

#[wasm_bindgen_test]
async fn the_locks_are_those_of_the_typescript_package() {
    let name = fresh();
    let hold = "await new Promise((held) => navigator.locks.request(name, () => {
        held()
        return new Promise((over) => (globalThis.over = over))
    }))";
    js(&format!("nidus-wasm:indexeddb:{name}"), hold).await;
    refused(IdbFiles::open(&name).await, Code::Locked, "open elsewhere");
    js("", "over()").await;
    let files = IdbFiles::open(&name).await.unwrap();
    let held = js(&name, "return (await navigator.locks.query()).held.some((lock) => lock.name.endsWith(name))").await;
    assert_eq!(held, JsValue::TRUE);
    files.close().await.unwrap();
    let held = "return (await navigator.locks.request(`nidus-wasm:indexeddb:${name}`, () => true))";
    assert_eq!(js(&name, held).await, JsValue::TRUE);
    // Whoever destroys the store has this one.
    js(&format!("nidus-wasm:kind:{name}"), hold).await;
    js("", "globalThis.removed = false; setTimeout(() => { removed = true; over() }, 1000)").await;
    IdbFiles::open(&name).await.unwrap();
    assert_eq!(js("", "return removed").await, JsValue::TRUE);
}

#[wasm_bindgen_test]
async fn every_transaction_is_strict() {
    let count = "const proto = IDBDatabase.prototype
        const { transaction } = proto
        globalThis.durabilities = []
        proto.transaction = function (...args) {
            const made = transaction.apply(this, args)
            durabilities.push(made.durability)
            return made
        }
        globalThis.uncounted = () => (proto.transaction = transaction)";
    js("", count).await;
    let (files, mut db) = open(&fresh()).await;
    stage(&mut db, 0..3);
    files.commit_store(&mut db).await.unwrap();
    files.compact(&mut db).await.unwrap();
    let found = js("", "uncounted(); return [durabilities.length > 3, ...new Set(durabilities)].join()").await;
    assert_eq!(found, "true,strict");
}

#[wasm_bindgen_test]
async fn a_deleted_database_fails_the_store() {
    let name = fresh();
    let (files, mut db) = open(&name).await;
    js(
        &name,
        "await new Promise((resolve, reject) => {
            const request = indexedDB.deleteDatabase('nidus-wasm:' + name)
            request.onsuccess = resolve
            request.onerror = reject
        })",
    )
    .await;
    stage(&mut db, 0..3);
    refused(files.commit_store(&mut db).await, Code::Failed, "deleted");
}

#[wasm_bindgen_test]
async fn a_lost_connection_leaves_the_outcome_unknown() {
    let (files, mut db) = open(&fresh()).await;
    stage(&mut db, 0..3);
    next_put("vanish").await;
    refused(files.commit_store(&mut db).await, Code::OutcomeUnknown, "connection");
    assert!(db.failure().is_some());
    refused(files.commit().await, Code::Failed, "Open it again");
}

#[wasm_bindgen_test]
async fn what_is_not_a_store_is_refused() {
    let name = fresh();
    refused(IdbFiles::open_existing(&name).await, Code::NotFound, "there is no");
    refused(IdbFiles::open("").await, Code::InvalidArgument, "empty");
    assert_eq!(
        js(&name, "return (await indexedDB.databases()).some((db) => db.name === 'nidus-wasm:' + name)").await,
        JsValue::FALSE
    );

    let foreign = fresh();
    js(
        &foreign,
        "await new Promise((resolve) => {
            const request = indexedDB.open('nidus-wasm:' + name, 1)
            request.onupgradeneeded = () => request.result.createObjectStore('tasks')
            request.onsuccess = () => resolve(request.result.close())
        })",
    )
    .await;
    refused(IdbFiles::open(&foreign).await, Code::Corrupt, "another program's, which keeps tasks");

    let later = fresh();
    js(
        &later,
        "await new Promise((resolve) => {
            const request = indexedDB.open('nidus-wasm:' + name, 2)
            request.onsuccess = () => resolve(request.result.close())
        })",
    )
    .await;
    refused(IdbFiles::open(&later).await, Code::UnsupportedVersion, "later version");
}

#[wasm_bindgen_test]
async fn damage_is_refused_and_nothing_is_changed() {
    let lies = [
        ("await answer(meta.put('text', 'store'))", "does not say"),
        ("await answer(meta.put({ generation: 0, data: -1, log: 0, epoch: '' }, 'store'))", "does not say"),
        ("await answer(meta.put({ ...row, log: 2 ** 52 }, 'store'))", "the extent of log"),
        ("await answer(meta.put({ ...row, data: row.data - 1 }, 'store'))", "the extent of data"),
        ("await answer(extents.delete(['data', 0, 0]))", "the extent of data at 0"),
        ("await answer(extents.put('text', ['log', 0, 0]))", "the extent of log at 0"),
        // An extent that is longer than any.
        (
            "await answer(extents.delete(IDBKeyRange.bound(['data'], ['data', []])))
            await answer(extents.put(new Uint8Array(1_900_000), ['data', 0, 0]))
            await answer(extents.put(new Uint8Array(100_000), ['data', 0, 1_900_000]))
            await answer(meta.put({ ...row, data: 2_000_000 }, 'store'))",
            "the extent of data at 0",
        ),
    ];
    for (lie, text) in lies {
        let name = fresh();
        let (files, mut db) = open(&name).await;
        for round in 0..3 {
            stage(&mut db, round * 4000..round * 4000 + 3000);
            files.commit_store(&mut db).await.unwrap();
        }
        drop(db);
        files.close().await.unwrap();
        inside(&name, &format!("const row = await answer(meta.get('store')); {lie}")).await;
        let content = "return JSON.stringify([await answer(extents.getAllKeys()), await answer(meta.getAll())])";
        let before = inside(&name, content).await;
        let files = IdbFiles::open(&name).await;
        if lie.contains("meta.put") && text != "the extent of data at 0" {
            refused(files, Code::Corrupt, text);
        } else {
            refused(files.unwrap().store(NEW).await, Code::Corrupt, text);
        }
        // Only the epoch, which tells who opened it, may be another one.
        let epoch = |text: JsValue| {
            let text = text.as_string().unwrap();
            text.split("\"epoch\"").next().unwrap().to_string()
        };
        assert_eq!(epoch(inside(&name, content).await), epoch(before), "{lie}");
    }
}

#[wasm_bindgen_test]
async fn a_store_has_one_kind_of_storage() {
    let name = fresh();
    let register = |kind: &str| {
        format!(
            "await new Promise((resolve) => {{
                const request = indexedDB.open('nidus-wasm', 1)
                request.onupgradeneeded = () => request.result.createObjectStore('stores')
                request.onsuccess = () => {{
                    const transaction = request.result.transaction('stores', 'readwrite')
                    transaction.objectStore('stores').put({{ kind: '{kind}' }}, name)
                    transaction.oncomplete = () => resolve(request.result.close())
                }}
            }})"
        )
    };
    js(&name, &register("opfs")).await;
    refused(IdbFiles::open(&name).await, Code::StorageUnavailable, "is kept in opfs");
    js(&name, &register("indexeddb")).await;
    open(&name).await;
    let other = fresh();
    open(&other).await;
    let kind = "return await new Promise((resolve) => {
        const request = indexedDB.open('nidus-wasm', 1)
        request.onsuccess = () => {
            const found = request.result.transaction('stores').objectStore('stores').get(name)
            found.onsuccess = () => (request.result.close(), resolve(found.result.kind))
        }
    })";
    assert_eq!(js(&other, kind).await, "indexeddb");
}

#[wasm_bindgen_test]
async fn opfs_says_that_it_needs_a_worker() {
    let name = fresh();
    refused(OpfsFiles::open(&name).await, Code::StorageUnavailable, "dedicated worker");
    let there = "const root = await navigator.storage.getDirectory()
        const all = await root.getDirectoryHandle('nidus-wasm').catch(() => undefined)
        for await (const [folder] of all ?? []) return folder";
    assert_eq!(js(&name, there).await, JsValue::UNDEFINED);
}

#[wasm_bindgen_test]
async fn sinks_of_closed_files_say_so() {
    let (files, mut db) = open(&fresh()).await;
    let (mut data, _) = files.pair().unwrap();
    files.close().await.unwrap();
    refused(data.append(b"x"), Code::Closed, "closed");
    refused(data.read(0, &mut [0; D]).await, Code::Closed, "closed");
    stage(&mut db, 0..1);
    let late = db.commit();
    let text = format!("{:#}", late.as_ref().unwrap_err());
    refused(late, Code::Closed, "closed");
    assert!(!text.contains("taken back"), "{text}");
}

#[wasm_bindgen_test]
async fn files_take_their_own_stores_alone() {
    let (one, two) = (fresh(), fresh());
    let (files, mut db) = open(&one).await;
    let (others, mut other) = open(&two).await;
    stage(&mut other, 0..9);
    others.commit_store(&mut other).await.unwrap();
    stage(&mut db, 0..3);
    let before = (extents_of(&one, "log").await, extents_of(&two, "log").await);
    for name in [&one, &two] {
        refused(others.commit_store(&mut db).await, Code::InvalidArgument, name);
    }
    refused(others.compact(&mut db).await, Code::InvalidArgument, &one);
    let mut memory = Store::in_memory(D).unwrap();
    stage(&mut memory, 0..3);
    refused(others.commit_store(&mut memory).await, Code::InvalidArgument, &two);
    memory.commit().unwrap();
    refused(others.compact(&mut memory).await, Code::InvalidArgument, &two);
    assert_eq!((extents_of(&one, "log").await, extents_of(&two, "log").await), before);
    assert_eq!((files.pending_bytes(), others.pending_bytes(), count(&db)), (0, 0, 0));
    // What was staged still is.
    files.commit_store(&mut db).await.unwrap();
    files.compact(&mut db).await.unwrap();
    others.compact(&mut other).await.unwrap();
    drop((db, other));
    files.close().await.unwrap();
    others.close().await.unwrap();
    holds(&open(&one).await.1, 0..3);
    holds(&open(&two).await.1, 0..9);
}

#[wasm_bindgen_test]
async fn files_have_one_store_at_a_time() {
    let name = fresh();
    let (files, mut db) = open(&name).await;
    refused(files.store(NEW).await, Code::Locked, "drop that `Store`");
    stage(&mut db, 0..3);
    files.commit_store(&mut db).await.unwrap();
    let (mut data, _) = files.pair().unwrap();
    refused(data.append(b"x"), Code::Locked, "drop that `Store`");
    // One that only reads is no writer.
    holds(&files.store(OpenOptions { read_only: true, ..NEW }).await.unwrap(), 0..3);
    stage(&mut db, 3..6);
    files.commit_store(&mut db).await.unwrap();
    files.compact(&mut db).await.unwrap();
    refused(files.store(NEW).await, Code::Locked, "drop that `Store`");
    drop((db, data));
    // An opening that is under way counts, and one that is dropped does not.
    let first = files.store(NEW);
    let mut first = Box::pin(first);
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    refused(files.store(NEW).await, Code::Locked, "drop that `Store`");
    drop(first);
    let mut db = files.store(NEW).await.unwrap();
    stage(&mut db, 6..8);
    files.commit_store(&mut db).await.unwrap();
    drop(db);
    files.close().await.unwrap();
    holds(&open(&name).await.1, 0..8);
}

/// Counts the connections that are open.
async fn watch_connections() {
    let watch = "if (globalThis.connections) return
        globalThis.connections = new Set()
        const [factory, database] = [IDBFactory.prototype, IDBDatabase.prototype]
        const { open } = factory
        factory.open = function (...all) {
            const request = open.apply(this, all)
            request.addEventListener('success', () => connections.add(request.result))
            return request
        }
        const { close } = database
        database.close = function () {
            connections.delete(this)
            close.call(this)
        }";
    js("", watch).await;
}

#[wasm_bindgen_test]
async fn a_dropped_future_leaves_nothing_open() {
    let name = fresh();
    watch_connections().await;
    // The stores of other tests may still be open.
    js("", "globalThis.before = new Set(connections)").await;
    let left = format!(
        "const {{ held }} = await navigator.locks.query()
        const open = [...connections].filter((db) => !before.has(db)).map((db) => `a connection to ${{db.name}}`)
        const ours = held.map((lock) => lock.name).filter((held) => held.includes({name:?}))
        return [...ours, ...open].join()"
    );
    for polls in 0..24 {
        drop_after(polls, IdbFiles::open(&format!("{name} {polls}"))).await;
        nothing_is(&format!("an opening that was dropped after {polls} polls"), &left).await;
        drop_after(polls, IdbFiles::open(&name)).await;
        nothing_is(&format!("a further opening that was dropped after {polls} polls"), &left).await;
    }
    for polls in 0..4 {
        let (files, mut db) = open(&name).await;
        stage(&mut db, 0..3);
        files.commit_store(&mut db).await.unwrap();
        drop_after(polls, files.compact(&mut db)).await;
        drop(db);
        drop_after(polls, files.store(NEW)).await;
        drop_after(polls, files.close()).await;
        drop(files);
        nothing_is(&format!("futures that were dropped after {polls} polls"), &left).await;
    }
    holds(&open(&name).await.1, 0..3);
}

#[wasm_bindgen_test]
async fn a_relaxed_store_is_flushed_before_its_files_are_closed() {
    let name = fresh();
    let files = IdbFiles::open(&name).await.unwrap();
    let relaxed = OpenOptions { relaxed: true, ..NEW };
    let mut db = files.store(relaxed).await.unwrap();
    stage(&mut db, 0..3);
    files.commit_store(&mut db).await.unwrap();
    refused(files.close().await, Code::InvalidArgument, "call `flush` of the store, drop it, and then close");
    db.flush().unwrap();
    drop(db);
    files.close().await.unwrap();
    let files = IdbFiles::open(&name).await.unwrap();
    let mut db = files.store(relaxed).await.unwrap();
    holds(&db, 0..3);
    stage(&mut db, 3..6);
    files.commit_store(&mut db).await.unwrap();
    files.compact(&mut db).await.unwrap();
    stage(&mut db, 6..9);
    db.commit().unwrap();
    // A store that is dropped flushes, and closing commits.
    drop(db);
    files.close().await.unwrap();
    holds(&open(&name).await.1, 0..9);
}

#[wasm_bindgen_test]
async fn an_opening_without_a_store_makes_none() {
    let name = fresh();
    let files = IdbFiles::open(&name).await.unwrap();
    refused(files.store(OpenOptions::default()).await, Code::InvalidArgument, "pass a dimension");
    files.close().await.unwrap();
    refused(IdbFiles::open_existing(&name).await, Code::NotFound, "there is no store");
    let (files, mut db) = open(&name).await;
    stage(&mut db, 0..3);
    files.commit_store(&mut db).await.unwrap();
    drop(db);
    files.close().await.unwrap();
    let files = IdbFiles::open_existing(&name).await.unwrap();
    holds(&files.store(OpenOptions::default()).await.unwrap(), 0..3);
}
