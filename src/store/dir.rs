//! A store in a directory of the operating system.

use std::fs;
use std::path::Path;

use super::{OpenOptions, Store};
use crate::Result;
use crate::error::fail;
use crate::sink::FileSink;

impl Store {
    /// Opens the store whose files `data` and `log` are in an existing directory. With a dimension, makes a new store
    /// if there is none.
    ///
    /// With [`read_only`](OpenOptions::read_only) it creates nothing, and needs only the permission to read. If there
    /// is no store, it fails with `NOT_FOUND`. If opening fails, it leaves no new file behind. It takes no lock: make
    /// sure that there is only one writer.
    pub fn open_dir(dir: impl AsRef<Path>, options: OpenOptions) -> Result<Store> {
        let paths = ["data", "log"].map(|name| dir.as_ref().join(name));
        if options.read_only {
            let [data, log] = paths.map(FileSink::open_read_only);
            return Store::open(data?, log?, options);
        }
        let missing = paths.each_ref().map(|path| !path.exists());
        if missing == [true, true] && options.dimension.is_none() {
            fail!(InvalidArgument, "there is no store in {}: pass a dimension to create one", dir.as_ref().display());
        }
        let [data, log] = paths.each_ref().map(FileSink::open);
        let opened = data.and_then(|data| Store::open(data, log?, options));
        if opened.is_err() {
            for (path, _) in paths
                .iter()
                .zip(missing)
                .filter(|(path, missing)| *missing && fs::metadata(path).is_ok_and(|found| found.len() == 0))
            {
                // If this fails, too, the error of the opening still says more.
                let _ = fs::remove_file(path);
            }
        }
        opened
    }
}
