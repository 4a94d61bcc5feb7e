//! Stores in OPFS from Rust alone, in a dedicated worker. Nothing else has synchronous handles.
#![cfg(all(target_arch = "wasm32", feature = "opfs"))]

#[allow(dead_code)]
#[path = "wasm/mod.rs"]
mod wasm;
#[allow(dead_code)]
mod web;

use nidus_wasm::browser::{OpfsFiles, OpfsSink};
use nidus_wasm::sink::conformance::{Place, check_place};
use nidus_wasm::sink::{ByteSink, ByteSource};
use nidus_wasm::{Code, OpenOptions, Result, Store};
use wasm::contents;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web::{NEW, Twin, count, drop_after, fresh, holds, js, nothing_is, refused, stage, stage_delete};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// Runs JavaScript with the folder of a store.
async fn inside(name: &str, work: &str) -> JsValue {
    js(
        name,
        &format!(
            "const root = await navigator.storage.getDirectory()
            const all = await root.getDirectoryHandle('nidus-wasm', {{ create: true }})
            const encoded = encodeURIComponent(name)
                .replace(/[.~*'()!]/g, (mark) => `%${{mark.charCodeAt(0).toString(16).toUpperCase()}}`)
            const folder = await all.getDirectoryHandle(encoded, {{ create: true }})
            const size = async (file) => (await (await folder.getFileHandle(file)).getFile()).size
            const put = async (file, text) => {{
                const handle = await (await folder.getFileHandle(file, {{ create: true }})).createSyncAccessHandle()
                handle.truncate(0)
                handle.write(new TextEncoder().encode(text), {{ at: 0 }})
                handle.close()
            }}
            {work}"
        ),
    )
    .await
}

/// Returns the files of a store with their sizes.
async fn sizes(name: &str) -> String {
    let all = "const files = []
        for await (const [file] of folder) files.push(`${file} ${await size(file)}`)
        return files.sort().join()";
    inside(name, all).await.as_string().unwrap()
}

async fn open(name: &str) -> (OpfsFiles, Store) {
    let files = OpfsFiles::open(name).await.unwrap();
    let db = files.store(NEW).unwrap();
    (files, db)
}

/// Its bytes are not a log's, so its files cannot be closed and opened again: they would be another program's.
struct Folder(OpfsFiles);

impl Place for Folder {
    type Sink = OpfsSink;

    async fn open(&mut self) -> Result<OpfsSink> {
        Ok(self.0.pair()?.1)
    }

    async fn read(&mut self, sink: &mut OpfsSink, at: u64, out: &mut [u8]) -> Result<()> {
        sink.read_exact_at(at, out)
    }
}

#[wasm_bindgen_test]
async fn opfs_conforms() {
    check_place(&mut Folder(OpfsFiles::open(&fresh()).await.unwrap())).await.unwrap();
}

#[wasm_bindgen_test]
async fn a_store_has_the_bytes_of_one_in_memory() {
    let name = fresh();
    let (mut files, mut db) = open(&name).await;
    let mut twin = Twin::new(false);
    assert!(db.recovery().created);
    for round in 0..40 {
        for db in [&mut db, &mut twin.db] {
            stage(db, round * 20..round * 20 + 30);
            stage_delete(db, round * 10..round * 10 + 3);
        }
        if round % 2 == 0 {
            files.commit_store(&mut db).await.unwrap();
        } else {
            db.commit().unwrap();
        }
        twin.db.commit().unwrap();
        if round % 16 == 9 {
            files.compact(&mut db).unwrap();
            twin.compact();
        }
        if round % 8 == 7 {
            drop(db);
            files.close().await.unwrap();
            (files, db) = open(&name).await;
            assert_eq!(count(&db), count(&twin.db));
        }
        let (data, log) = files.pair().unwrap();
        assert!(contents(data) == twin.data.to_vec(), "data, round {round}");
        assert!(contents(log) == twin.log.to_vec(), "log, round {round}");
    }
    let expected =
        format!("data.0 {},data.1 0,head 560,log.0 {},log.1 0", twin.data.to_vec().len(), twin.log.to_vec().len());
    assert_eq!(sizes(&name).await, expected);
}

#[wasm_bindgen_test]
async fn a_store_has_one_writer() {
    let name = fresh();
    let (files, db) = open(&name).await;
    refused(OpfsFiles::open(&name).await, Code::Locked, "open elsewhere");
    // A sink that is left keeps the lock.
    drop(files);
    refused(OpfsFiles::open(&name).await, Code::Locked, "open elsewhere");
    drop(db);
    let (files, mut db) = open(&name).await;
    files.close().await.unwrap();
    stage(&mut db, 0..1);
    let late = db.commit();
    let text = format!("{:#}", late.as_ref().unwrap_err());
    refused(late, Code::Closed, "open the store again");
    assert!(!text.contains("taken back"), "{text}");
    open(&name).await;
}

#[wasm_bindgen_test]
async fn openings_wait_for_whoever_destroys_the_store() {
    let name = fresh();
    let hold = "await new Promise((held) => navigator.locks.request(`nidus-wasm:kind:${name}`, () => {
        held()
        return new Promise((over) => setTimeout(over, 200))
    }))
    return Date.now()";
    let begun = js(&name, hold).await.as_f64().unwrap();
    open(&name).await;
    assert!(js_sys::Date::now() - begun >= 150.0);
}

#[wasm_bindgen_test]
async fn a_missing_store_is_not_made() {
    let name = fresh();
    refused(OpfsFiles::open_existing(&name).await, Code::NotFound, "there is no store");
    refused(OpfsFiles::open("").await, Code::InvalidArgument, "empty");
    let (files, db) = open(&name).await;
    drop(db);
    files.close().await.unwrap();
    let files = OpfsFiles::open_existing(&name).await.unwrap();
    assert_eq!(count(&files.store(OpenOptions::default()).unwrap()), 0);
}

#[wasm_bindgen_test]
async fn an_interrupted_compaction_is_cleared_once_the_store_is_good() {
    let name = fresh();
    let (files, mut db) = open(&name).await;
    stage(&mut db, 0..9);
    db.commit().unwrap();
    drop(db);
    files.close().await.unwrap();
    inside(&name, "await put('data.1', 'NIDUS\\0 and more'); await put('log.1', '')").await;
    let files = OpfsFiles::open(&name).await.unwrap();
    assert!(sizes(&name).await.contains("data.1 15"));
    holds(&files.store(NEW).unwrap(), 0..9);
    assert!(sizes(&name).await.contains("data.1 0"));
}

#[wasm_bindgen_test]
async fn what_is_not_a_store_is_refused_and_stays() {
    let cases = [
        ("await put('head', '<html>')", "\"head\""),
        ("await folder.getDirectoryHandle('head', { create: true })", "\"head\""),
        ("await folder.getDirectoryHandle('log.0', { create: true })", "\"log.0\""),
        ("await put('data.0', 'another program')", "\"data.0\""),
        ("await put('log.0', 'a text of another program')", "\"log.0\""),
        ("await put('data.0', 'NIDUS\\0' + '\\0'.repeat(58) + 'rows')", "\"head\""),
    ];
    for (work, text) in cases {
        let name = fresh();
        inside(&name, work).await;
        let files = "const files = []; for await (const [file] of folder) files.push(file); return files.join()";
        let before = inside(&name, files).await;
        refused(OpfsFiles::open(&name).await, Code::Corrupt, text);
        assert_eq!(inside(&name, files).await, before, "{work}");
    }
}

#[wasm_bindgen_test]
async fn damage_is_refused_and_nothing_is_changed() {
    let cases = [
        ("await put('head', '')", "missing or damaged"),
        ("await folder.removeEntry('head')", "missing or damaged"),
        ("await folder.removeEntry('log.0')", "\"log.0\""),
        ("await folder.removeEntry('data.0')", "\"data.0\""),
        ("await put('log.0', 'a text of another program')", "\"log.0\""),
        (
            "await put('data.1', await (await (await folder.getFileHandle('data.0')).getFile()).text()); \
          await put('data.0', ''); await put('log.0', '')",
            "names an empty pair",
        ),
    ];
    for (work, text) in cases {
        let name = fresh();
        let (files, mut db) = open(&name).await;
        stage(&mut db, 0..9);
        db.commit().unwrap();
        drop(db);
        files.close().await.unwrap();
        inside(&name, work).await;
        let before = sizes(&name).await;
        let opened = match OpfsFiles::open(&name).await {
            Ok(files) => files.store(NEW).map(drop),
            Err(error) => Err(error),
        };
        refused(opened, Code::Corrupt, text);
        assert_eq!(sizes(&name).await, before, "{work}");
    }
}

#[wasm_bindgen_test]
async fn a_file_of_another_program_in_the_other_pair_is_left_alone() {
    let name = fresh();
    let (files, mut db) = open(&name).await;
    stage(&mut db, 0..9);
    db.commit().unwrap();
    drop(db);
    files.close().await.unwrap();
    inside(&name, "await put('log.1', 'a text of another program')").await;
    let (files, mut db) = open(&name).await;
    refused(files.compact(&mut db), Code::InvalidArgument, "log.1");
    stage(&mut db, 9..12);
    files.commit_store(&mut db).await.unwrap();
    holds(&db, 0..12);
    assert!(sizes(&name).await.contains("log.1 25"));
}

/// Makes the browser write as near the quota: half of what it is asked for, and then nothing.
async fn writes(how: &str) {
    let code = "const proto = FileSystemSyncAccessHandle.prototype
        globalThis.realWrite ??= proto.write
        const { realWrite } = globalThis
        proto.write = name === 'all' ? realWrite : function (bytes, options) {
            const half = bytes.subarray(0, bytes.length >> 1)
            if (name === 'half') return realWrite.call(this, half.length ? half : bytes, options)
            if (name === 'none' && bytes.length > 60) return realWrite.call(this, half, options) && 0
            if (name === 'throw') throw new DOMException('no room', 'QuotaExceededError')
            return realWrite.call(this, bytes, options)
        }";
    js(how, code).await;
}

#[wasm_bindgen_test]
async fn short_writes_are_completed_or_taken_back() {
    let name = fresh();
    let (files, mut db) = open(&name).await;
    stage(&mut db, 0..9);
    writes("half").await;
    db.commit().unwrap();
    for how in ["none", "throw"] {
        let before = sizes(&name).await;
        stage(&mut db, 9..20);
        writes(how).await;
        refused(db.commit(), Code::QuotaExceeded, "");
        writes("all").await;
        assert!(db.failure().is_none(), "{:?}", db.failure());
        assert_eq!(sizes(&name).await, before);
    }
    stage_delete(&mut db, 0..1);
    stage(&mut db, 0..30);
    db.commit().unwrap();
    // A compaction that finds no room leaves the store as it is.
    writes("throw").await;
    refused(files.compact(&mut db), Code::QuotaExceeded, "");
    writes("all").await;
    assert!(sizes(&name).await.contains("data.1 0"));
    stage(&mut db, 30..33);
    db.commit().unwrap();
    drop(db);
    files.close().await.unwrap();
    holds(&open(&name).await.1, 0..33);
}

#[wasm_bindgen_test]
async fn a_store_has_one_kind_of_storage() {
    let name = fresh();
    let register = "await new Promise((resolve) => {
        const request = indexedDB.open('nidus-wasm', 1)
        request.onupgradeneeded = () => request.result.createObjectStore('stores')
        request.onsuccess = () => {
            const transaction = request.result.transaction('stores', 'readwrite')
            transaction.objectStore('stores').put({ kind: 'indexeddb' }, name)
            transaction.oncomplete = () => resolve(request.result.close())
        }
    })";
    js(&name, register).await;
    refused(OpfsFiles::open(&name).await, Code::StorageUnavailable, "is kept in indexeddb");
    let other = fresh();
    open(&other).await;
    let kind = "return await new Promise((resolve) => {
        const request = indexedDB.open('nidus-wasm', 1)
        request.onsuccess = () => {
            const found = request.result.transaction('stores').objectStore('stores').get(name)
            found.onsuccess = () => (request.result.close(), resolve(found.result.kind))
        }
    })";
    assert_eq!(js(&other, kind).await, "opfs");
}

#[wasm_bindgen_test]
async fn files_take_their_own_stores_alone() {
    let (one, two) = (fresh(), fresh());
    let (files, mut db) = open(&one).await;
    let (others, mut other) = open(&two).await;
    stage(&mut other, 0..9);
    others.commit_store(&mut other).await.unwrap();
    stage(&mut db, 0..3);
    let before = (sizes(&one).await, sizes(&two).await);
    for name in [&one, &two] {
        refused(others.commit_store(&mut db).await, Code::InvalidArgument, name);
    }
    refused(others.compact(&mut db), Code::InvalidArgument, &one);
    let mut memory = Store::in_memory(web::D).unwrap();
    stage(&mut memory, 0..3);
    refused(others.commit_store(&mut memory).await, Code::InvalidArgument, &two);
    memory.commit().unwrap();
    refused(others.compact(&mut memory), Code::InvalidArgument, &two);
    assert_eq!((sizes(&one).await, sizes(&two).await), before);
    // What was staged still is.
    files.commit_store(&mut db).await.unwrap();
    files.compact(&mut db).unwrap();
    others.compact(&mut other).unwrap();
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
    refused(files.store(NEW), Code::Locked, "drop that `Store`");
    stage(&mut db, 0..3);
    db.commit().unwrap();
    let (mut data, _) = files.pair().unwrap();
    refused(data.append(b"x"), Code::Locked, "drop that `Store`");
    // One that only reads is no writer.
    holds(&files.store(OpenOptions { read_only: true, ..NEW }).unwrap(), 0..3);
    stage(&mut db, 3..6);
    db.commit().unwrap();
    files.compact(&mut db).unwrap();
    refused(files.store(NEW), Code::Locked, "drop that `Store`");
    drop(db);
    refused(data.append(b"x"), Code::InvalidArgument, "take new ones");
    let mut db = files.store(NEW).unwrap();
    stage(&mut db, 6..8);
    files.commit_store(&mut db).await.unwrap();
    drop((db, data));
    files.close().await.unwrap();
    holds(&open(&name).await.1, 0..8);
}

/// Counts the handles that are open.
async fn watch_handles() {
    let watch = "if (globalThis.openHandles) return
        globalThis.openHandles = new Set()
        const [file, sync] = [FileSystemFileHandle.prototype, FileSystemSyncAccessHandle.prototype]
        const { createSyncAccessHandle } = file
        file.createSyncAccessHandle = function (...options) {
            return createSyncAccessHandle.apply(this, options).then((handle) => (openHandles.add(handle), handle))
        }
        const { close } = sync
        sync.close = function () {
            openHandles.delete(this)
            close.call(this)
        }";
    js("", watch).await;
}

#[wasm_bindgen_test]
async fn a_dropped_future_leaves_nothing_open() {
    let name = fresh();
    watch_handles().await;
    // The stores of other tests may still be open.
    js("", "globalThis.before = new Set(openHandles)").await;
    let left = "const { held } = await navigator.locks.query()
        const handles = [...openHandles].filter((handle) => !before.has(handle)).map(() => 'a handle')
        return [...held.map((lock) => lock.name).filter((name) => name.includes(':kind:')), ...handles].join()";
    for polls in 0..40 {
        drop_after(polls, OpfsFiles::open(&format!("{name} {polls}"))).await;
        nothing_is(&format!("an opening that was dropped after {polls} polls"), left).await;
        drop_after(polls, OpfsFiles::open(&name)).await;
        nothing_is(&format!("a further opening that was dropped after {polls} polls"), left).await;
    }
    for polls in 0..4 {
        let (files, db) = open(&name).await;
        drop(db);
        drop_after(polls, files.close()).await;
        drop(files);
        nothing_is(&format!("a closing that was dropped after {polls} polls"), left).await;
    }
    open(&name).await;
}

#[wasm_bindgen_test]
async fn a_relaxed_store_is_flushed_before_its_files_are_closed() {
    let name = fresh();
    let files = OpfsFiles::open(&name).await.unwrap();
    let relaxed = OpenOptions { relaxed: true, ..NEW };
    let mut db = files.store(relaxed).unwrap();
    stage(&mut db, 0..3);
    files.commit_store(&mut db).await.unwrap();
    refused(files.close().await, Code::InvalidArgument, "call `flush` of the store, drop it, and then close");
    db.flush().unwrap();
    drop(db);
    files.close().await.unwrap();
    let files = OpfsFiles::open(&name).await.unwrap();
    let mut db = files.store(relaxed).unwrap();
    holds(&db, 0..3);
    stage(&mut db, 3..6);
    db.commit().unwrap();
    files.compact(&mut db).unwrap();
    stage(&mut db, 6..9);
    db.commit().unwrap();
    // A store that is dropped flushes.
    drop(db);
    files.close().await.unwrap();
    holds(&open(&name).await.1, 0..9);
}

#[wasm_bindgen_test]
async fn an_opening_without_a_store_makes_none() {
    let name = fresh();
    let files = OpfsFiles::open(&name).await.unwrap();
    refused(files.store(OpenOptions::default()), Code::InvalidArgument, "pass a dimension");
    files.close().await.unwrap();
    refused(OpfsFiles::open_existing(&name).await, Code::NotFound, "there is no store");
    let (files, mut db) = open(&name).await;
    stage(&mut db, 0..3);
    db.commit().unwrap();
    drop(db);
    files.close().await.unwrap();
    let files = OpfsFiles::open_existing(&name).await.unwrap();
    holds(&files.store(OpenOptions::default()).unwrap(), 0..3);
}
