//! The core over the browser's own files, in a dedicated worker. Only such workers have synchronous handles.
#![cfg(target_arch = "wasm32")]

mod wasm;

use std::collections::HashMap;

use js_sys::futures::JsFuture;
use js_sys::{Function, Promise};
use nidus_wasm::DataSegment;
use nidus_wasm::sink::{ByteSink, HandleSink, MemorySink, conformance};
use wasm::{contents, exercise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::FileSystemSyncAccessHandle;

wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// Opens a file of the origin's private file system.
async fn handle(name: &str) -> FileSystemSyncAccessHandle {
    let open = Function::new_with_args(
        "name",
        "return (async () => {
            const root = await navigator.storage.getDirectory()
            const file = await root.getFileHandle(name, { create: true })
            return await file.createSyncAccessHandle()
        })()",
    );
    let promise: Promise = open.call1(&JsValue::NULL, &name.into()).unwrap().unchecked_into();
    JsFuture::from(promise).await.expect("a sync access handle").unchecked_into()
}

async fn empty(name: &str) -> FileSystemSyncAccessHandle {
    let handle = handle(name).await;
    handle.truncate_with_f64(0.0).unwrap();
    handle
}

#[wasm_bindgen_test]
async fn opfs_conforms() {
    for lend_views in [true, false] {
        let handle = empty("conformance").await;
        conformance::check(|| HandleSink::new(handle.clone(), lend_views)).unwrap();
        handle.close();
    }
}

#[wasm_bindgen_test]
async fn store_over_opfs() {
    let memory = std::cell::RefCell::new(HashMap::<String, MemorySink>::new());
    let expected = exercise(|name| memory.borrow_mut().entry(name.into()).or_default().clone());
    let names = ["data", "log", "data.1", "log.1"];
    for lend_views in [true, false] {
        let mut handles = HashMap::new();
        for name in names {
            handles.insert(name, empty(name).await);
        }
        let found = exercise(|name| HandleSink::new(handles[name].clone(), lend_views).unwrap());
        assert!(found == expected);
        handles.values().for_each(FileSystemSyncAccessHandle::close);
        // Handles that are opened again return the same bytes.
        for (name, expected) in [("data.1", &expected.0), ("log.1", &expected.1)] {
            let handle = handle(name).await;
            assert!(contents(HandleSink::new(handle.clone(), true).unwrap()) == *expected);
            handle.close();
        }
    }
}

#[wasm_bindgen_test]
async fn segment_over_opfs() {
    let rows: Vec<f32> = (0..3000).map(|n| n as f32 / 7.0).collect();
    let first = empty("segment").await;
    let open = |handle: &FileSystemSyncAccessHandle| {
        DataSegment::open(HandleSink::new(handle.clone(), true).unwrap(), 6).unwrap()
    };
    let mut segment = open(&first);
    assert_eq!(segment.append_rows(&rows).unwrap(), 0);
    assert_eq!(segment.append_rows(&rows[..6]).unwrap(), 500);
    segment.truncate_to(400).unwrap();
    segment.sync().unwrap();
    drop(segment);
    first.close();

    let again = handle("segment").await;
    assert_eq!(again.get_size().unwrap(), 64.0 + 400.0 * 24.0);
    // The file ends with a part of a row, as a crash may leave it.
    HandleSink::new(again.clone(), false).unwrap().append(&[1; 5]).unwrap();
    let mut segment = open(&again);
    assert_eq!(again.get_size().unwrap(), 64.0 + 400.0 * 24.0);
    assert_eq!(segment.row_count(), 400);
    assert_eq!(segment.row(399).unwrap(), &rows[399 * 6..400 * 6]);
    let other = empty("segment.1").await;
    segment.rewrite_to(Box::new(HandleSink::new(other.clone(), false).unwrap()), &rows[6..18]).unwrap();
    assert_eq!(segment.append_rows(&rows[..6]).unwrap(), 2);
    drop(segment);
    let segment = open(&other);
    assert_eq!((segment.row_count(), segment.row(1).unwrap()), (3, &rows[12..18]));
    [again, other].iter().for_each(FileSystemSyncAccessHandle::close);
}
