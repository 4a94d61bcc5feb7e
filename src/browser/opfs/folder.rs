//! The folder of a store in OPFS, before its files are open: where it is, to whom its files belong, and the lock.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::futures::{JsFuture, spawn_local};
use js_sys::{Date, Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    File as Blob, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions,
    FileSystemGetFileOptions, FileSystemSyncAccessHandle,
};

use super::head::{HEAD_SIZE, MARK_SIZE, decode_head, has_mark, is_foreign_head, mark_offset};
use super::owner::{Look, NOTHING, Seen, encode_name, foreign_of, look_at_data, look_at_log, missing_of};
use super::sink::{File, Opened};
use crate::browser::errors::{name_of, storage_error};
use crate::browser::wait::{Slot, sleep};
use crate::error::{error, fail};
use crate::{Code, Error, Result};

const ROOT: &str = "nidus-wasm";
/// The first one is the lock: its holder may wait for the other files.
pub const FILES: [&str; 5] = ["head", "data.0", "log.0", "data.1", "log.1"];
/// Browsers release the handles of a closed page a little late. This is how long an opening waits for them.
const LATE_RELEASE_MS: f64 = 2000.0;
const PAUSE_MS: i32 = 40;

/// Waits for a promise of the browser. File systems answer always: with a value or with an error.
async fn answer<T: JsCast>(promise: Promise) -> Result<T, JsValue> {
    JsFuture::from(promise).await.map(JsCast::unchecked_into)
}

/// Fails where there are no synchronous handles, before anything is made.
pub fn check_worker() -> Result<()> {
    let file = Reflect::get(&js_sys::global(), &"FileSystemFileHandle".into());
    let prototype = file.and_then(|file| Reflect::get(&file, &"prototype".into()));
    if !prototype.and_then(|prototype| Reflect::has(&prototype, &"createSyncAccessHandle".into())).unwrap_or(false) {
        fail!(
            StorageUnavailable,
            "there are no synchronous handles of OPFS here: open the store in a dedicated worker (not in the page, nor in \
             a shared or a service worker), on https or localhost. If this is one, this browser has none, and IndexedDB \
             may be there"
        );
    }
    Ok(())
}

/// Returns the folder of a store, and makes it if `make` is set.
pub async fn folder(name: &str, make: bool) -> Result<FileSystemDirectoryHandle> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).unwrap_or_default();
    let storage = Reflect::get(&navigator, &"storage".into()).unwrap_or_default();
    let root = Reflect::get(&storage, &"getDirectory".into()).ok().and_then(|get| get.dyn_into::<Function>().ok());
    let Some(root) = root else {
        fail!(
            StorageUnavailable,
            "OPFS does not exist here: it needs https or localhost, and a browser that has it. IndexedDB may be there"
        );
    };
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(make);
    let found = async {
        let root: FileSystemDirectoryHandle = answer(root.call0(&storage)?.dyn_into()?).await?;
        let all: FileSystemDirectoryHandle = answer(root.get_directory_handle_with_options(ROOT, &options)).await?;
        answer(all.get_directory_handle_with_options(&encode_name(name), &options)).await
    };
    found.await.map_err(|thrown: JsValue| match name_of(&thrown).as_str() {
        "NotFoundError" => error(Code::NotFound, format!("there is no store \"{name}\" in OPFS")),
        _ => storage_error(&thrown, &format!("the folder of \"{name}\" in OPFS could not be opened")),
    })
}

/// Returns the handle of a file. `None` means that there is no such file.
async fn entry(
    folder: &FileSystemDirectoryHandle,
    file: &str,
    make: bool,
) -> Result<Option<FileSystemFileHandle>, JsValue> {
    let options = FileSystemGetFileOptions::new();
    options.set_create(make);
    match answer(folder.get_file_handle_with_options(file, &options)).await {
        Err(missing) if !make && name_of(&missing) == "NotFoundError" => Ok(None),
        found => found.map(Some),
    }
}

/// Tells whether the files of a store are still the ones that were opened. The user may clear the site's data, and
/// another tab may then make a store of the same name. The handles cannot tell: they go on writing to the removed files.
/// So the first commit leaves a random mark in the head.
#[derive(Clone)]
pub struct Mark {
    folder: FileSystemDirectoryHandle,
    head: Rc<File>,
    at: u64,
    pub bytes: [u8; MARK_SIZE],
    written: Cell<bool>,
}

impl Mark {
    pub fn new(folder: FileSystemDirectoryHandle, head: &Rc<File>, generation: u64) -> Self {
        let random = || js_sys::Math::random().to_bits().to_le_bytes();
        let mut bytes = [0; MARK_SIZE];
        bytes[..8].copy_from_slice(&random());
        bytes[8..].copy_from_slice(&random());
        // Beside the slot that is not current, so that a torn write cannot damage the current one.
        let at = mark_offset(generation + 1);
        Self { folder, head: head.clone(), at, bytes, written: Cell::new(false) }
    }

    /// Returns whether the files were removed. Writes the mark if that was not done yet: an opening changes nothing. If
    /// the quota is full, the next commit tries again.
    pub async fn check(&self) -> bool {
        if !self.written.get() {
            self.written.set(self.head.write(self.at, &self.bytes).is_ok());
        }
        self.is_removed().await
    }

    /// Does what [`check`](Self::check) does, but writes nothing. Without a mark, it tells whether there is a head at all.
    pub async fn is_removed(&self) -> bool {
        match start(&self.folder, FILES[0]).await {
            Ok(None) => true,
            Ok(Some((head, _))) => self.written.get() && !has_mark(&head, &self.bytes),
            Err(_) => false,
        }
    }

    /// Notes that a promotion wrote the mark with its slot.
    pub fn promoted(&self) {
        self.written.set(true);
    }
}

/// Opens the handle of a file. If this future is dropped, the handle is closed as soon as it is there.
async fn open_handle(entry: &FileSystemFileHandle) -> Result<FileSystemSyncAccessHandle, JsValue> {
    let opened: Slot<Result<Opened, JsValue>> = Slot::new();
    let (promise, to) = (entry.create_sync_access_handle(), opened.clone());
    spawn_local(async move { to.set(answer(promise).await.map(|handle| Opened(Some(handle)))) });
    let mut opened = opened.await?;
    opened.0.take().ok_or(JsValue::UNDEFINED)
}

/// Opens a file for this writer alone. Waits a little for a writer that has just ended.
pub async fn lock(store: &str, folder: &FileSystemDirectoryHandle, file: &str, deadline: f64) -> Result<Rc<File>> {
    let what = format!("\"{file}\" of the store \"{store}\"");
    let refused = |thrown: JsValue| storage_error(&thrown, &format!("{what} could not be opened"));
    let entry = entry(folder, file, true).await.map_err(refused)?;
    let Some(entry) = entry else { fail!(NotFound, "{what} is not there") };
    loop {
        match open_handle(&entry).await {
            Ok(handle) => return Ok(Rc::new(File { handle, closed: Cell::new(false), what })),
            Err(thrown) if name_of(&thrown) != "NoModificationAllowedError" => return Err(refused(thrown)),
            Err(_) if Date::now() >= deadline => {
                fail!(Locked, "the store \"{store}\" is open elsewhere (another tab or worker): close it there");
            }
            Err(_) => sleep(PAUSE_MS).await,
        }
    }
}

pub fn deadline() -> f64 {
    Date::now() + LATE_RELEASE_MS
}

/// Returns whether the store has a head. A folder of this name is another program's.
pub async fn has_head(store: &str, folder: &FileSystemDirectoryHandle) -> Result<bool> {
    match entry(folder, FILES[0], false).await {
        Ok(found) => Ok(found.is_some()),
        Err(thrown) if name_of(&thrown) == "TypeMismatchError" => Err(foreign(store, FILES[0])),
        Err(thrown) => {
            Err(storage_error(&thrown, &format!("\"head\" of the store \"{store}\" could not be looked for")))
        }
    }
}

fn foreign(store: &str, file: &str) -> Error {
    let what = file.split('.').next().unwrap_or(file);
    let text =
        format!("\"{file}\" of the store \"{store}\" is not the {what} of a nidus store, or its beginning is damaged");
    error(Code::Corrupt, format!("{text}. Nothing was changed: use another name, or move it away"))
}

/// The first bytes of a file, and its size.
async fn start(folder: &FileSystemDirectoryHandle, file: &str) -> Result<Option<(Vec<u8>, u64)>, JsValue> {
    let Some(entry) = entry(folder, file, false).await? else { return Ok(None) };
    let blob: Blob = answer(entry.get_file()).await?;
    let size = blob.size();
    let bytes = answer(blob.slice_with_f64_and_f64(0.0, HEAD_SIZE as f64)?.array_buffer()).await?;
    let bytes: JsValue = bytes;
    Ok(Some((Uint8Array::new(&bytes).to_vec(), size as u64)))
}

/// Checks the files before anything of them is made or changed. Refuses files of another program. Refuses a store in which
/// a file is missing beside rows or operations, so that the file is not made anew. Files of another program in the pair
/// that is not current are allowed: the first one of them is returned, so that it is left alone. `head` are the bytes of
/// the head, if there is one.
pub async fn refuse_others(
    store: &str,
    folder: &FileSystemDirectoryHandle,
    head: Option<&[u8]>,
) -> Result<Option<&'static str>> {
    let mut seen: [Option<Seen>; 4] = [None; 4];
    for (file, seen) in FILES[1..].iter().zip(&mut seen) {
        let looked = match start(folder, file).await {
            Ok(looked) => looked,
            Err(thrown) if name_of(&thrown) == "TypeMismatchError" => return Err(foreign(store, file)),
            Err(thrown) => return Err(storage_error(&thrown, &format!("\"{file}\" of \"{store}\" could not be read"))),
        };
        let look = if file.starts_with("data") { look_at_data } else { look_at_log };
        *seen = looked.map(|(head, size)| look(&head, size));
    }
    if head.is_some_and(is_foreign_head) {
        return Err(foreign(store, FILES[0]));
    }
    let generation = head.and_then(decode_head);
    let current = 2 * (generation.unwrap_or(0) % 2) as usize;
    let (data, log) = (seen[current], seen[current + 1]);
    let rows = [0, 2].iter().any(|at| seen[*at].is_some_and(|seen| seen.look == Look::Ours));
    // Without a head and without rows of ours, every file that has bytes belongs to another program.
    let is_other = |seen: &Option<Seen>| {
        seen.is_some_and(|seen| seen.look == Look::Foreign || (head.is_none() && !rows && seen.size > 0))
    };
    let other = FILES[1..].iter().zip(&seen).find(|(_, seen)| is_other(seen)).map(|(file, _)| *file);
    if let (None, Some(other)) = (generation, other) {
        return Err(foreign(store, other));
    }
    let pair = |which: &str| FILES[1 + current + usize::from(which == "log")];
    if generation.is_some() {
        if let Some(which) = foreign_of(data.unwrap_or(NOTHING), log.unwrap_or(NOTHING)) {
            return Err(foreign(store, pair(which)));
        }
    } else if rows {
        fail!(
            Corrupt,
            "\"head\" of the store \"{store}\" is missing or damaged, and there are rows beside it. Nothing was changed: \
             put it back"
        );
    }
    if let Some(which) = missing_of(data, log) {
        fail!(
            Corrupt,
            "\"{}\" of the store \"{store}\" is missing, and the file beside it has bytes. Nothing was changed: put it \
             back, or salvage the store",
            pair(which)
        );
    }
    Ok(other)
}
