//! A store in a directory of the native file system.

use std::fs;
use std::path::Path;

use super::{OpenOptions, Store};
use crate::Result;
use crate::error::fail;
use crate::sink::FileSink;

impl Store {
    /// Opens the store whose files `data` and `log` lie in a directory, which is there; with a dimension a new one is made.
    ///
    /// With [`read_only`](OpenOptions::read_only) nothing is created and leave to read is enough: where there is no store it is
    /// `NOT_FOUND`. An opening that fails leaves no file behind that was not there. It locks nothing: keep two writers apart yourself.
    pub fn open_dir(dir: impl AsRef<Path>, options: OpenOptions) -> Result<Store> {
        let paths = ["data", "log"].map(|name| dir.as_ref().join(name));
        if options.read_only {
            let [data, log] = paths.map(FileSink::open_read_only);
            return Store::open(data?, log?, options);
        }
        let missing = paths.each_ref().map(|path| !path.exists());
        if missing == [true, true] && options.dimension.is_none() {
            fail!(InvalidArgument, "there is no store in {}; to create one takes a dimension", dir.as_ref().display());
        }
        let [data, log] = paths.each_ref().map(FileSink::open);
        let opened = data.and_then(|data| Store::open(data, log?, options));
        if opened.is_err() {
            for (path, _) in paths.iter().zip(missing).filter(|(path, missing)| *missing && fs::metadata(path).is_ok_and(|found| found.len() == 0)) {
                // The error that is returned says more than one of this.
                let _ = fs::remove_file(path);
            }
        }
        opened
    }
}
