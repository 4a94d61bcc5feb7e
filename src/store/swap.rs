//! How a compacted pair of files replaces the old one in a directory. Two files cannot be renamed in one step, so there
//! are several, and an opening finishes them from any point. The names and the bytes are those of the npm package
//! (`src/ts/hosts/fs/promote.ts`), so each finishes what the other has begun.
//!
//! 1. The new pair is written and synced: `data.compacted` and `log.compacted`. So is a marker, `compacted`.
//! 2. A barrier is renamed over `log`: a frame that no version knows. Every version of native refuses it.
//! 3. The new data is renamed, and then the new log.
//! 4. The marker is removed.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::Result;
use crate::error::{Context, fail};
use crate::segment::crc32;

/// The new pair.
pub const NEW: [&str; 2] = ["data.compacted", "log.compacted"];
const MARKER: &str = "compacted";
const DRAFT: &str = "compacted.draft";
const BARRIER: &str = "log.barrier";
/// A marker and its draft begin with this text.
const MARK: &str = "{\"data\":\"data.compacted\",\"log\":\"log.compacted\",";

/// How many steps of a swap are made. Tests make only some, as if the process were killed.
pub type Steps = usize;
#[cfg(test)]
pub const STEPS: Steps = 5;

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn sync_dir(dir: &Path) -> Result<()> {
    // Windows cannot open a directory.
    if cfg!(unix) {
        File::open(dir).and_then(|dir| dir.sync_all()).context(&format!("sync {}", dir.display()))?;
    }
    Ok(())
}

fn rename(dir: &Path, from: &str, to: &str) -> Result<()> {
    fs::rename(dir.join(from), dir.join(to)).context(&format!("rename {from} to {to} in {}", dir.display()))?;
    // The order must be the same on the medium.
    sync_dir(dir)
}

fn remove(dir: &Path, name: &str) -> Result<()> {
    match fs::remove_file(dir.join(name)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).context(&format!("remove {}", dir.join(name).display()))
        }
        _ => Ok(()),
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let doing = format!("write {}", path.display());
    let mut file = File::options().write(true).create_new(true).open(path).context(&doing)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).context(&doing)
}

/// One whole frame with an operation that does not exist, and one byte too many.
fn barrier() -> [u8; 13] {
    let mut bytes = [0; 13];
    bytes[0] = 5;
    bytes[4..8].fill(0xFF);
    let crc = crc32(&bytes[4..9]);
    bytes[9..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Returns whether the file holds a part of `whole`. What was not written yet is zeros.
fn begins(path: &Path, whole: &[u8]) -> bool {
    let small = fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() < 1024);
    let bytes = if small { fs::read(path).ok() } else { None };
    bytes.is_some_and(|bytes| bytes.iter().zip(whole).all(|(byte, ours)| *byte == 0 || byte == ours))
}

fn is_barrier(dir: &Path) -> bool {
    fs::metadata(dir.join("log")).is_ok_and(|found| found.len() == 13)
        && fs::read(dir.join("log")).is_ok_and(|bytes| bytes == barrier())
}

fn is_marked(dir: &Path) -> bool {
    fs::symlink_metadata(dir.join(MARKER)).is_ok_and(|found| found.is_file() && found.len() < 1024)
        && fs::read(dir.join(MARKER)).is_ok_and(|bytes| bytes.starts_with(MARK.as_bytes()))
}

/// Tells the npm package whether the old pair was written to since.
fn identity(dir: &Path) -> Result<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let of = |name: &str| {
            let found = fs::metadata(dir.join(name)).context("look at the old files")?;
            let nanos = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
            Ok::<_, crate::Error>(format!("{} {} {nanos}", found.ino(), found.len()))
        };
        Ok(format!("{}, {}", of("data")?, of("log")?))
    }
    #[cfg(not(unix))]
    {
        let _ = dir;
        Ok(String::new())
    }
}

/// Returns the paths of a new pair, after whatever an earlier compaction left was removed.
pub fn make_room(dir: &Path) -> Result<[PathBuf; 2]> {
    remove_leftovers(dir)?;
    for name in [NEW[0], NEW[1], MARKER, DRAFT, BARRIER] {
        if exists(&dir.join(name)) {
            fail!(
                AlreadyExists,
                "{} is in the way of a compaction, and does not look like what one leaves: move it away",
                dir.join(name).display()
            );
        }
    }
    Ok(NEW.map(|name| dir.join(name)))
}

/// Removes the new pair, the draft and the barrier of a process that was killed, if they begin as its files do.
pub fn remove_leftovers(dir: &Path) -> Result<()> {
    let mut start = [0; 6];
    let data = dir.join(NEW[0]);
    let found = fs::symlink_metadata(&data);
    let ours = found.is_ok_and(|found| found.is_file()) && {
        let read = File::open(&data).and_then(|mut file| std::io::Read::read(&mut file, &mut start));
        read.is_ok_and(|read| start[..read].iter().zip(b"NIDUS\0").all(|(byte, ours)| *byte == 0 || byte == ours))
    };
    let empty =
        |name: &str| fs::symlink_metadata(dir.join(name)).is_ok_and(|found| found.is_file() && found.len() == 0);
    // The log goes first: alone it may not show whose it is.
    if ours || empty(NEW[1]) {
        remove(dir, NEW[1])?;
    }
    if ours {
        remove(dir, NEW[0])?;
    }
    for (name, whole) in [(DRAFT, MARK.as_bytes()), (BARRIER, &barrier()[..])] {
        if begins(&dir.join(name), whole) {
            remove(dir, name)?;
        }
    }
    Ok(())
}

/// Step 1, after the new pair was written and synced. If it fails, the old pair is current, and [`unmark`] must succeed
/// before anything is written to it.
pub fn mark(dir: &Path) -> Result<()> {
    sync_dir(dir)?;
    write_new(&dir.join(DRAFT), format!("{MARK}\"old\":\"{}\"}}", identity(dir)?).as_bytes())?;
    rename(dir, DRAFT, MARKER)
}

pub fn unmark(dir: &Path) -> Result<()> {
    remove(dir, MARKER)?;
    sync_dir(dir)
}

/// Steps 2 to 4.
pub fn swap(dir: &Path, steps: Steps) -> Result<()> {
    if steps >= 1 {
        write_new(&dir.join(BARRIER), &barrier())?;
    }
    if steps >= 2 {
        rename(dir, BARRIER, "log")?;
    }
    behind_barrier(dir, steps)
}

fn behind_barrier(dir: &Path, steps: Steps) -> Result<()> {
    if steps >= 3 && exists(&dir.join(NEW[0])) {
        rename(dir, NEW[0], "data")?;
    }
    if steps >= 4 {
        rename(dir, NEW[1], "log")?;
    }
    if steps >= 5 { unmark(dir) } else { Ok(()) }
}

/// Returns the names of the files that hold the store now. With `writable`, also finishes or discards the compaction
/// that an earlier process left half done.
pub fn settle(dir: &Path, writable: bool) -> Result<[&'static str; 2]> {
    const CURRENT: [&str; 2] = ["data", "log"];
    if is_marked(dir) {
        if writable {
            // A killed process may have renamed files. That must be on the medium before the next step relies on it.
            sync_dir(dir)?;
        }
        if is_barrier(dir) {
            if !exists(&dir.join(NEW[1])) {
                fail!(
                    Corrupt,
                    "{} is missing. Without it, the compaction that was interrupted cannot be finished",
                    dir.join(NEW[1]).display()
                );
            }
            if !writable {
                return Ok([if exists(&dir.join(NEW[0])) { NEW[0] } else { CURRENT[0] }, NEW[1]]);
            }
            behind_barrier(dir, Steps::MAX)?;
        } else if writable {
            // Before the barrier the old pair is whole, and behind it the new one is in place.
            unmark(dir)?;
        }
    }
    if writable {
        remove_leftovers(dir)?;
    }
    Ok(CURRENT)
}
