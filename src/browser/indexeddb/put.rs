//! Carrying out the plan of a file's commit in a transaction.

use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{IdbCursorDirection, IdbCursorWithValue, IdbObjectStore};

use super::extents::{Extents, MAX_EXTENT, Plan, SMALL};
use super::row::{EXTENTS, FILES, between, damaged, extent, from, key, others, place};
use crate::Result;
use crate::browser::database::Transaction;
use crate::error::reserve;
use crate::sink::from_js;

/// One file of a store in one generation, in a transaction.
#[derive(Clone)]
struct Target {
    transaction: Transaction,
    extents: IdbObjectStore,
    file: &'static str,
    generation: u64,
}

/// Puts the new extents of a file, and removes and changes what the plan says.
pub fn put(transaction: &Transaction, file: &'static str, generation: u64, of: &Extents, plan: &Plan) -> Result<()> {
    let target = Target { transaction: transaction.clone(), extents: transaction.store(EXTENTS)?, file, generation };
    // The bytes are copied now: they may change before the requests are made.
    let mut puts = Vec::new();
    reserve(&mut puts, plan.puts.len(), "a commit")?;
    for (at, length) in &plan.puts {
        let bytes = Uint8Array::new_with_length(*length as u32);
        let mut filled = 0;
        of.copy(*at, *length, &mut |slice| {
            bytes.subarray(filled, filled + slice.len() as u32).copy_from(slice);
            filled += slice.len() as u32;
        });
        puts.push((*at, bytes));
    }
    let (cut_at, merged) = (plan.cut_at, plan.merged);
    let rest = move |target: &Target| {
        if let Some(cut_at) = cut_at {
            target.cut(cut_at)?;
        }
        let Target { extents, file, generation, .. } = target;
        if let Some((first, last)) = merged {
            let range: JsValue = between(file, *generation, first, last)?.into();
            extents.delete(&range).map_err(from_js)?;
        }
        for (at, bytes) in &puts {
            extents.put_with_key(bytes, &key(file, *generation, *at)).map_err(from_js)?;
        }
        Ok(())
    };
    target.patch(Rc::new(plan.patches.clone()), 0, Rc::new(rest))
}

impl Target {
    fn cursor_back(
        &self,
        range: &JsValue,
        mut step: impl FnMut(Option<IdbCursorWithValue>) -> Result<()> + 'static,
    ) -> Result<()> {
        let request = self.extents.open_cursor_with_range_and_direction(range, IdbCursorDirection::Prev);
        self.transaction.then(request, move |found| step(found.dyn_into().ok()))
    }

    /// Removes all bytes from `cut_at` on, and shortens the extent that the cut goes through.
    fn cut(&self, cut_at: u64) -> Result<()> {
        let (file, generation) = (self.file, self.generation);
        let behind: JsValue = from(file, generation, cut_at)?.into();
        self.extents.delete(&behind).map_err(from_js)?;
        if cut_at == 0 {
            return Ok(());
        }
        let range = between(file, generation, cut_at.saturating_sub(MAX_EXTENT as u64), cut_at - 1)?;
        self.cursor_back(&range, move |cursor| {
            let (at, bytes, cursor) = found(cursor, file, cut_at)?;
            let end = at + u64::from(bytes.length());
            if end < cut_at {
                return Err(damaged(file, cut_at));
            }
            // An extent that ends at the cut stays as it is.
            if end > cut_at {
                cursor.update(&bytes.slice(0, (cut_at - at) as u32)).map_err(from_js)?;
            }
            Ok(())
        })
    }

    /// Overwrites bytes of old extents, one patch after the other, and then does the rest.
    fn patch(
        &self,
        patches: Rc<Vec<(u64, Vec<u8>)>>,
        next: usize,
        rest: Rc<dyn Fn(&Target) -> Result<()>>,
    ) -> Result<()> {
        let Some((at, bytes)) = patches.get(next) else { return rest(self) };
        let (file, at, end) = (self.file, *at, at + bytes.len() as u64);
        let range = between(file, self.generation, at.saturating_sub(MAX_EXTENT as u64 - 1), end - 1)?;
        let this = self.clone();
        // From the last byte on backwards, because the first extent that is needed may begin long before.
        let mut left = end;
        self.cursor_back(&range, move |cursor| {
            let (begins, old, cursor) = found(cursor, file, at)?;
            if begins + u64::from(old.length()) < left {
                return Err(damaged(file, left));
            }
            let new = Uint8Array::new(&old);
            let first = begins.max(at);
            let (_, patch) = &patches[next];
            let part = &patch[(first - at) as usize..(left - at) as usize];
            new.subarray((first - begins) as u32, (left - begins) as u32).copy_from(part);
            cursor.update(&new).map_err(from_js)?;
            left = first;
            if left > at {
                cursor.continue_().map_err(from_js)
            } else {
                this.patch(patches.clone(), next + 1, rest.clone())
            }
        })
    }
}

fn found(
    cursor: Option<IdbCursorWithValue>,
    file: &'static str,
    at: u64,
) -> Result<(u64, Uint8Array, IdbCursorWithValue)> {
    let cursor = cursor.ok_or_else(|| damaged(file, at))?;
    let begins = cursor.key().ok().and_then(|key| place(&key)).ok_or_else(|| damaged(file, at))?;
    let bytes = cursor.value().ok().and_then(extent).ok_or_else(|| damaged(file, begins))?;
    Ok((begins, bytes, cursor))
}

/// Removes the extents of all generations but this one.
pub fn remove_others(transaction: &Transaction, keep: u64) -> Result<()> {
    let extents = transaction.store(EXTENTS)?;
    for file in FILES {
        for range in others(file, keep)? {
            extents.delete(&range).map_err(from_js)?;
        }
    }
    Ok(())
}

/// Finds the small extents at the end of a file, in order. It stops at the first one that is large or not a neighbour.
/// Fails if the file does not end at the recorded length, or if its extents cannot have that many bytes.
pub fn small_end(
    transaction: &Transaction,
    file: &'static str,
    generation: u64,
    length: u64,
    mut result: impl FnMut(Vec<(u64, Vec<u8>)>) + 'static,
) -> Result<()> {
    let extents = transaction.store(EXTENTS)?;
    let all = from(file, generation, 0)?;
    transaction.then(extents.count_with_key(&all), move |count| {
        let most = count.as_f64().unwrap_or(0.0) * MAX_EXTENT as f64;
        if most < length as f64 { Err(damaged(file, most as u64)) } else { Ok(()) }
    })?;
    let request = extents.open_cursor_with_range_and_direction(&all, IdbCursorDirection::Prev);
    let (mut small, mut end): (Vec<(u64, Vec<u8>)>, u64) = (Vec::new(), length);
    transaction.then(request, move |cursor| {
        let Ok(cursor) = cursor.dyn_into::<IdbCursorWithValue>() else {
            if end == length && length > 0 {
                return Err(damaged(file, end));
            }
            result(std::mem::take(&mut small).into_iter().rev().collect());
            return Ok(());
        };
        let (at, bytes, cursor) = found(Some(cursor), file, end)?;
        let is_last = end == length;
        let ends = at + u64::from(bytes.length());
        if is_last && ends != end {
            return Err(damaged(file, end));
        }
        if bytes.length() as usize > SMALL || ends != end {
            result(std::mem::take(&mut small).into_iter().rev().collect());
            return Ok(());
        }
        small.push((at, bytes.to_vec()));
        end = at;
        cursor.continue_().map_err(from_js)
    })
}
