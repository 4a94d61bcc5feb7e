//! Taking over a store's database, or making it.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Date, Math, Object};
use wasm_bindgen::JsCast;
use web_sys::IdbDatabase;

use super::put::{remove_others, small_end};
use super::renew::renew_log;
use super::row::{EXTENTS, FILES, META, META_KEY, Row, make_store, unknown_content};
use super::shared::{Pair, Shared};
use crate::Result;
use crate::browser::database::{Ended, Transaction, connect, factory, transact};
use crate::browser::locks;
use crate::browser::register;
use crate::error::{Context, fail};
use crate::segment::HEADER_LEN;
use crate::sink::from_js;

/// Opens the database of a store for its only writer. `make` makes it if it is not there.
pub async fn open(name: &str, make: bool) -> Result<Rc<Shared>> {
    if name.is_empty() {
        fail!(InvalidArgument, "the store's name is empty");
    }
    factory()?;
    let _opening = locks::opening(name).await?;
    register::agree(name, "indexeddb", make).await?;
    let Some(lock) = locks::hold(&format!("nidus-wasm:indexeddb:{name}")).await? else {
        fail!(Locked, "the store \"{name}\" is open elsewhere (another tab or worker): close it there");
    };
    // This must come before any other write.
    renew_log().await;
    let database = format!("nidus-wasm:{name}");
    let db = connect(&database, &format!("database of \"{name}\""), make.then_some(make_store)).await?;
    let epoch = format!("{:x}-{:x}-{:x}", Date::now().to_bits(), Math::random().to_bits(), Math::random().to_bits());
    let (row, pair) = take_over(name, &db, &epoch).await?;
    if !make && row.generation == 0 && row.lengths[0] < HEADER_LEN {
        // An opening made the database, and no store was made in it.
        fail!(NotFound, "there is no store \"{name}\" in IndexedDB: its creation was never finished");
    }
    Ok(Shared::new(name, db, epoch, row, pair, lock))
}

/// Writes this writer's epoch into the row, and removes what an interrupted compaction left. Nothing is changed if the
/// database is another program's.
async fn take_over(name: &str, db: &IdbDatabase, epoch: &str) -> Result<(Row, Pair)> {
    let stores = db.object_store_names();
    let names: Vec<String> = (0..stores.length()).filter_map(|n| stores.get(n)).collect();
    if names.len() != 2 || ![META, EXTENTS].iter().all(|store| names.iter().any(|name| name == store)) {
        fail!(
            Corrupt,
            "the database \"nidus-wasm:{name}\" is another program's, which keeps {} in it. Nothing was changed: use \
             another name, or remove it",
            if names.is_empty() { "nothing".into() } else { names.join(", ") }
        );
    }
    let found: Rc<RefCell<Option<(Row, Pair)>>> = Rc::default();
    let (result, for_row, epoch) = (found.clone(), name.to_string(), epoch.to_string());
    let work = move |transaction: &Transaction| {
        let meta = transaction.store(META)?;
        let inside = transaction.clone();
        transaction.then(meta.get(&META_KEY.into()), move |before| {
            let row = Row::read(&before).ok_or_else(|| unknown_content(&for_row))?;
            let after = row.write(before.unchecked_ref::<Object>(), &epoch)?;
            meta.put_with_key(&after, &META_KEY.into()).map_err(from_js)?;
            remove_others(&inside, row.generation)?;
            let pair = Pair::new(row.generation, row.lengths);
            for (file, name) in FILES.into_iter().enumerate() {
                let extents = pair.files[file].clone();
                let adopt = move |small| extents.borrow_mut().adopt(small);
                small_end(&inside, name, row.generation, row.lengths[file], adopt)?;
            }
            *result.borrow_mut() = Some((row, pair));
            Ok(())
        })
    };
    let answer = transact(db, &[META, EXTENTS], "readwrite", work, |_| {});
    answer.await.map_err(Ended::into_error).context(&format!("open the store \"{name}\" in IndexedDB"))?;
    found.take().ok_or_else(|| unknown_content(name))
}
