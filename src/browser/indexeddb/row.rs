//! What a store's database holds: one row, and extents by their keys.

use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{IdbDatabase, IdbKeyRange};

use super::extents::MAX_EXTENT;
use crate::error::error;
use crate::sink::from_js;
use crate::{Code, Error, Result};

pub const META: &str = "meta";
pub const EXTENTS: &str = "extents";
pub const META_KEY: &str = "store";
pub const FILES: [&str; 2] = ["data", "log"];

/// The row of a store: which extents belong to it. Its epoch says who writes to it. Extents of another generation were
/// left by an unfinished compaction.
#[derive(Clone, Copy)]
pub struct Row {
    pub generation: u64,
    /// Lengths in bytes, of data and log.
    pub lengths: [u64; 2],
    /// How often committed bytes were cut off or overwritten. After that, a reader must begin again.
    pub cuts: f64,
}

pub fn make_store(db: &IdbDatabase) -> Result<(), JsValue> {
    db.create_object_store(EXTENTS)?;
    let row = Row { generation: 0, lengths: [0; 2], cuts: 0.0 };
    let row = row.write(&Object::new(), "").map_err(|_| JsValue::UNDEFINED)?;
    db.create_object_store(META)?.put_with_key(&row, &META_KEY.into())?;
    Ok(())
}

fn whole(row: &JsValue, key: &str) -> Option<u64> {
    let number = Reflect::get(row, &key.into()).ok()?.as_f64()?;
    (number >= 0.0 && number < (1u64 << 53) as f64 && number.fract() == 0.0).then_some(number as u64)
}

pub fn epoch_of(row: &JsValue) -> Option<String> {
    Reflect::get(row, &"epoch".into()).ok()?.as_string()
}

impl Row {
    /// Returns `None` if the row is not one of a store.
    pub fn read(row: &JsValue) -> Option<Self> {
        epoch_of(row)?;
        let cuts = Reflect::get(row, &"cuts".into()).ok().and_then(|cuts| cuts.as_f64()).unwrap_or(0.0);
        let lengths = [whole(row, "data")?, whole(row, "log")?];
        Some(Self { generation: whole(row, "generation")?, lengths, cuts })
    }

    /// Returns the row as the database keeps it. What `before` has besides stays.
    pub fn write(&self, before: &Object, epoch: &str) -> Result<Object> {
        let row = Object::assign(&Object::new(), before);
        let values = [
            ("generation", JsValue::from_f64(self.generation as f64)),
            ("data", JsValue::from_f64(self.lengths[0] as f64)),
            ("log", JsValue::from_f64(self.lengths[1] as f64)),
            ("epoch", epoch.into()),
            ("cuts", JsValue::from_f64(self.cuts)),
        ];
        for (key, value) in values {
            Reflect::set(&row, &key.into(), &value).map_err(from_js)?;
        }
        Ok(row)
    }
}

pub fn key(file: &str, generation: u64, at: u64) -> JsValue {
    Array::of3(&file.into(), &(generation as f64).into(), &(at as f64).into()).into()
}

/// Returns the range of keys of a file's extents in one generation that begin at `at`, at `end`, or between them.
pub fn between(file: &str, generation: u64, at: u64, end: u64) -> Result<IdbKeyRange> {
    IdbKeyRange::bound(&key(file, generation, at), &key(file, generation, end)).map_err(from_js)
}

/// Returns the range of keys of a file's extents in one generation from `at` on.
pub fn from(file: &str, generation: u64, at: u64) -> Result<IdbKeyRange> {
    // An array sorts behind every number.
    let end = Array::of3(&file.into(), &(generation as f64).into(), &Array::new());
    IdbKeyRange::bound(&key(file, generation, at), &end).map_err(from_js)
}

/// Returns the two ranges of keys of a file's extents in all generations but one.
pub fn others(file: &str, keep: u64) -> Result<[IdbKeyRange; 2]> {
    let [first, kept, next] = [
        Array::of1(&file.into()),
        Array::of2(&file.into(), &(keep as f64).into()),
        Array::of2(&file.into(), &((keep + 1) as f64).into()),
    ];
    let last = Array::of2(&file.into(), &Array::new());
    let before = IdbKeyRange::bound_with_lower_open_and_upper_open(&first, &kept, false, true).map_err(from_js)?;
    Ok([before, IdbKeyRange::bound(&next, &last).map_err(from_js)?])
}

/// Returns where an extent begins, by its key.
pub fn place(key: &JsValue) -> Option<u64> {
    let at = key.dyn_ref::<Array>()?.get(2).as_f64()?;
    (at >= 0.0 && at < (1u64 << 53) as f64 && at.fract() == 0.0).then_some(at as u64)
}

/// Returns an extent, or `None` if the value is none. A longer one would take more memory than it should.
pub fn extent(value: JsValue) -> Option<Uint8Array> {
    let bytes = value.dyn_into::<Uint8Array>().ok()?;
    (1..=MAX_EXTENT as u32).contains(&bytes.length()).then_some(bytes)
}

#[cold]
pub fn damaged(file: &str, at: u64) -> Error {
    let what = format!("the extent of {file} at {at} is missing in the database, or is not what was written there");
    error(Code::Corrupt, format!("{what}. Nothing was changed: restore a copy, or salvage the store"))
}

#[cold]
pub fn unknown_content(name: &str) -> Error {
    let what = format!(
        "the database of \"{name}\" does not say what is in it, or its row \"{META_KEY}\" is another program's"
    );
    error(Code::Corrupt, format!("{what}. Nothing was changed: use another name, or remove the database"))
}
