//! Functions that the tests of both kinds of storage share. They look at the browser's storage itself, by JavaScript.

use std::future::Future;
use std::ops::Range;
use std::task::{Context, Waker};

use js_sys::futures::JsFuture;
use js_sys::{Array, Date, Function, Math, Promise, Reflect};
use nidus_wasm::sink::MemorySink;
use nidus_wasm::{Batch, Code, OpenOptions, Query, Result, Store, code_of};
use wasm_bindgen::{JsCast, JsValue};

pub const D: usize = 6;
pub const NEW: OpenOptions = OpenOptions {
    dimension: Some(D),
    read_only: false,
    relaxed: false,
    transactional: false,
    max_vector_bytes: None,
    only_0_3: false,
    compact: false,
};

/// Returns a name that no other store has.
pub fn fresh() -> String {
    format!("web ü/{}-{}", Date::now(), Math::random())
}

/// Runs the body of an async function of JavaScript with one argument, `name`.
pub async fn js(name: &str, code: &str) -> JsValue {
    let run = Function::new_with_args("name", &format!("return (async () => {{ {code} }})()"));
    let promise: Promise = run.call1(&JsValue::NULL, &name.into()).unwrap().unchecked_into();
    match JsFuture::from(promise).await {
        Ok(value) => value,
        Err(thrown) => panic!("{code}: {thrown:?}"),
    }
}

/// Polls a future as often as that, with a turn of the event loop after each time, and drops it.
pub async fn drop_after(polls: u32, future: impl Future) {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        let is_ready = future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        js("", "await new Promise((over) => setTimeout(over, 1))").await;
        if is_ready {
            return;
        }
    }
}

/// Waits until JavaScript returns nothing, for two seconds at most.
pub async fn nothing_is(left: &str, code: &str) {
    let mut found = String::new();
    for _ in 0..100 {
        found = js("", code).await.as_string().unwrap_or_default();
        if found.is_empty() {
            return;
        }
        js("", "await new Promise((over) => setTimeout(over, 20))").await;
    }
    panic!("{left}: {found}");
}

/// Returns the numbers in nested arrays.
pub fn numbers(rows: &JsValue) -> Vec<Vec<f64>> {
    let number = |value: JsValue| value.as_f64().unwrap_or(f64::NAN);
    rows.unchecked_ref::<Array>().iter().map(|row| row.unchecked_into::<Array>().iter().map(number).collect()).collect()
}

pub fn number(value: &JsValue, key: &str) -> f64 {
    Reflect::get(value, &key.into()).unwrap().as_f64().unwrap()
}

pub fn refused<T>(result: Result<T>, code: Code, text: &str) {
    match result {
        Ok(_) => panic!("it was not refused: {text}"),
        Err(error) => {
            let found = format!("{error:#}");
            assert!(code_of(&error) == code && found.contains(text), "{:?}: {found}", code_of(&error));
        }
    }
}

pub fn stage(db: &mut Store, ids: Range<usize>) {
    let mut batch = Batch::new();
    let mut vectors = Vec::new();
    for n in ids {
        batch.push(&format!("id {n}"), &[("n", (n as i64).into())]);
        vectors.extend((0..db.dimension()).map(|i| ((n * 7 + i * 3) % 11) as f32 - 4.5));
    }
    db.stage_upsert("docs", batch.len(), batch.bytes(), &vectors).unwrap();
}

pub fn stage_delete(db: &mut Store, ids: Range<usize>) {
    let ids: Vec<_> = ids.map(|n| format!("id {n}")).collect();
    db.stage_delete("docs", ids.iter().map(|id| Ok(id.as_str()))).unwrap();
}

pub fn count(db: &Store) -> usize {
    db.count(None, &Default::default()).unwrap()
}

/// Checks that the store holds exactly these documents, and finds each of them by its vector.
pub fn holds(db: &Store, ids: Range<usize>) {
    assert_eq!(count(db), ids.len());
    for n in ids {
        let record = db.get("docs", &format!("id {n}")).unwrap().unwrap();
        let hits = db.search(&record.vector, &Query { top_k: 1, ..Default::default() }).unwrap();
        assert!((hits[0].score - 1.0).abs() < 1e-5);
    }
}

/// A store in memory that takes the same writes, to compare the bytes.
pub struct Twin {
    pub db: Store,
    pub data: MemorySink,
    pub log: MemorySink,
}

impl Twin {
    pub fn new(transactional: bool) -> Self {
        let (data, log) = (MemorySink::new(), MemorySink::new());
        let db = Store::open(data.clone(), log.clone(), OpenOptions { transactional, ..NEW }).unwrap();
        Self { db, data, log }
    }

    pub fn compact(&mut self) {
        (self.data, self.log) = (MemorySink::new(), MemorySink::new());
        self.db.compact_into(Box::new(self.data.clone()), Box::new(self.log.clone())).unwrap();
    }
}
