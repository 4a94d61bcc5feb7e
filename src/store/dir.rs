//! A store in a directory of the operating system.

use std::fs;
use std::path::Path;

use super::swap::{self, Steps};
use super::{OpenOptions, Store};
use crate::Result;
use crate::error::fail;
use crate::sink::FileSink;

impl Store {
    /// Opens the store whose files `data` and `log` are in an existing directory. With a dimension, makes a new store
    /// if there is none.
    ///
    /// It first finishes a compaction that was interrupted, of [`compact_dir`](Self::compact_dir) or of the npm
    /// package.
    ///
    /// With [`read_only`](OpenOptions::read_only) it creates nothing, and needs only the permission to read. If there
    /// is no store, it fails with `NOT_FOUND`. If opening fails, it leaves no new file behind.
    ///
    /// It takes no lock: make sure that there is only one writer, also among other programs (native nidus, the npm
    /// package). Two writers overwrite each other's records. Read-only openings may be any number.
    ///
    /// ```
    /// use nidus_wasm::{OpenOptions, Store};
    ///
    /// # let dir = std::env::temp_dir().join(format!("nidus-wasm-doc-{}", std::process::id()));
    /// std::fs::create_dir_all(&dir)?;
    /// let mut db = Store::open_dir(&dir, OpenOptions { dimension: Some(3), ..Default::default() })?;
    /// db.stage_create("docs")?;
    /// db.commit()?;
    /// if db.dead_ratio() > 0.5 {
    ///     db.compact_dir()?;
    /// }
    /// # drop(db);
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), nidus_wasm::Error>(())
    /// ```
    pub fn open_dir(dir: impl AsRef<Path>, options: OpenOptions) -> Result<Store> {
        let dir = dir.as_ref();
        let paths = swap::settle(dir, !options.read_only)?.map(|name| dir.join(name));
        if options.read_only {
            let [data, log] = paths.map(FileSink::open_read_only);
            return Store::open(data?, log?, options);
        }
        let missing = paths.each_ref().map(|path| !path.exists());
        if missing == [true, true] && options.dimension.is_none() {
            fail!(InvalidArgument, "there is no store in {}: pass a dimension to create one", dir.display());
        }
        let [data, log] = paths.each_ref().map(FileSink::open);
        let mut opened = data.and_then(|data| Store::open(data, log?, options));
        if let Ok(store) = &mut opened {
            store.dir = Some(dir.to_path_buf());
        } else {
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

    /// Rewrites a store of [`open_dir`](Self::open_dir) without its dead rows, in its directory. If the process is
    /// killed meanwhile, the next opening (here or in the npm package) has the old files or the new ones, and never one
    /// of each.
    ///
    /// After an error the store is as it was, and goes on, unless it has failed. Then open it again. The directory must
    /// be where it was when the store was opened.
    pub fn compact_dir(&mut self) -> Result<()> {
        self.compact_dir_until(Steps::MAX)
    }

    pub(super) fn compact_dir_until(&mut self, steps: Steps) -> Result<()> {
        self.check_writable()?;
        let Some(dir) = self.dir.clone() else {
            fail!(InvalidArgument, "the store was not opened with `open_dir`: use `compact_into`");
        };
        let [data, log] = swap::make_room(&dir)?;
        let written = FileSink::open(data).and_then(|data| {
            self.begin_compaction(Box::new(data), Box::new(FileSink::open(log)?))?;
            while !self.compact_step()? {}
            self.finish_compaction()?;
            swap::mark(&dir)
        });
        if let Err(error) = written {
            self.abandon_compaction();
            if let Err(second) = swap::unmark(&dir) {
                // A marker that stays would let another opening discard what is written from now on.
                self.fail(&format!("{error:#}; taking the compaction back failed as well: {second:#}"));
            }
            // If this fails, the next opening does it.
            let _ = swap::remove_leftovers(&dir);
            return Err(error);
        }
        if let Err(error) = swap::swap(&dir, steps) {
            self.abandon_compaction();
            self.fail(&format!("a compaction was interrupted while its files became current: {error:#}"));
            return Err(error);
        }
        self.adopt_compaction()?;
        while !self.adopt_step()? {}
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::{Batch, Code, Filter, code_of};

    const NEW: OpenOptions = OpenOptions {
        dimension: Some(2),
        read_only: false,
        relaxed: false,
        transactional: false,
        max_vector_bytes: None,
        only_0_3: false,
        compact: false,
    };

    fn put(store: &mut Store, id: &str, x: f32) {
        let mut batch = Batch::new();
        batch.push(id, &[("x", f64::from(x).into())]);
        store.stage_upsert("c", 1, batch.bytes(), &[x, 1.0]).unwrap();
        store.commit().unwrap();
    }

    /// A store whose compaction exchanges rows, so that an old log beside new data would be noticed.
    fn filled(dir: &Path) -> Store {
        let mut store = Store::open_dir(dir, NEW).unwrap();
        for n in (0..20).rev() {
            put(&mut store, &format!("{n:02}"), n as f32);
        }
        store.stage_delete("c", (0..5).map(|n| ["00", "01", "02", "03", "04"][n]).map(Ok)).unwrap();
        store.commit().unwrap();
        store
    }

    fn holds(store: &Store) {
        let records = store.get_all("c").unwrap();
        assert_eq!(records.len(), 15);
        for record in records {
            let n: f32 = record.id.parse().unwrap();
            assert!((record.vector[0] / record.vector[1] - n).abs() < 1e-3, "{record:?}");
            assert_eq!(record.attrs["x"], f64::from(n).into());
        }
    }

    fn names(dir: &Path) -> Vec<String> {
        let entry = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(entry).collect();
        names.sort();
        names
    }

    #[test]
    fn a_store_is_compacted_in_its_directory_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = filled(dir.path());
        for round in 0..2 {
            store.compact_dir().unwrap();
            assert_eq!((store.footprint().dead_rows, names(dir.path())), (0, vec!["data".into(), "log".into()]));
            holds(&store);
            put(&mut store, &format!("{}", 19 - round), (19 - round) as f32);
            holds(&Store::open_dir(dir.path(), OpenOptions { read_only: true, dimension: None, ..NEW }).unwrap());
        }
        drop(store);
        holds(&Store::open_dir(dir.path(), NEW).unwrap());
        assert_eq!(code_of(&Store::in_memory(2).unwrap().compact_dir().unwrap_err()), Code::InvalidArgument);
    }

    /// The process is killed after each step. An opening that finishes the compaction makes the same steps.
    #[test]
    fn an_opening_finishes_a_compaction_from_every_step() {
        for steps in 0..=swap::STEPS {
            let dir = tempfile::tempdir().unwrap();
            let mut store = filled(dir.path());
            store.compact_dir_until(steps).unwrap();
            drop(store);
            for _ in 0..2 {
                let before = names(dir.path());
                holds(&Store::open_dir(dir.path(), OpenOptions { read_only: true, dimension: None, ..NEW }).unwrap());
                assert_eq!(names(dir.path()), before, "{steps}");
                let mut store = Store::open_dir(dir.path(), NEW).unwrap();
                holds(&store);
                assert_eq!(names(dir.path()), ["data", "log"], "{steps}");
                put(&mut store, "07", 7.0);
                holds(&store);
            }
        }
    }

    #[test]
    fn what_a_killed_compaction_left_is_removed_and_other_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        drop(filled(dir.path()));
        fs::write(dir.path().join("data.compacted"), b"NIDUS\0 and more").unwrap();
        fs::write(dir.path().join("log.compacted"), b"half a frame").unwrap();
        fs::write(dir.path().join("compacted.draft"), b"{\"data\":\"data.com").unwrap();
        let mut store = Store::open_dir(dir.path(), NEW).unwrap();
        assert_eq!(names(dir.path()), ["data", "log"]);
        fs::write(dir.path().join("data.compacted"), b"a text of another program").unwrap();
        let error = store.compact_dir().unwrap_err();
        assert_eq!((code_of(&error), error.to_string().contains("data.compacted")), (Code::AlreadyExists, true));
        assert!(store.failure().is_none());
        drop(store);
        holds(&Store::open_dir(dir.path(), NEW).unwrap());
        assert_eq!(names(dir.path()), ["data", "data.compacted", "log"]);
    }

    #[test]
    fn a_compaction_that_fails_leaves_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = filled(dir.path());
        store.stage_create("d").unwrap();
        assert_eq!(code_of(&store.compact_dir().unwrap_err()), Code::InvalidArgument);
        assert_eq!(names(dir.path()), ["data", "log"]);
        store.commit().unwrap();
        assert_eq!(store.count(Some("c"), &Filter::default()).unwrap(), 15);
        store.compact_dir().unwrap();
        holds(&store);
    }
}
