use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{ByteSink, ByteSource, check_cut, check_publish};
use crate::error::{Context, error_from, fail};
use crate::{Code, Result};

/// A file of the operating system. It takes no lock: make sure that there is only one writer. For a store in a
/// directory use `Store::open_dir` and `Store::compact_dir`, not two sinks of these.
pub struct FileSink {
    file: File,
    path: PathBuf,
    len: u64,
    read_only: bool,
}

impl FileSink {
    /// Opens the file `path`, and creates it if it is missing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        Self::of(file, path, false)
    }

    /// Opens the existing file `path` for reading only. It creates nothing and needs only the permission to read.
    /// Methods that write fail with `READ_ONLY`.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        Self::of(File::open(&path), path, true)
    }

    fn of(file: std::io::Result<File>, path: PathBuf, read_only: bool) -> Result<Self> {
        let file = match file {
            Err(missing) if missing.kind() == ErrorKind::NotFound => {
                return Err(error_from(Code::NotFound, format!("{} is not there", path.display()), missing));
            }
            file => file.context(&format!("open {}", path.display()))?,
        };
        let len = file.metadata().context(&format!("stat {}", path.display()))?.len();
        Ok(Self { file, path, len, read_only })
    }

    fn check_writable(&self) -> Result<()> {
        if self.read_only {
            fail!(ReadOnly, "{} was opened to read alone", self.path.display());
        }
        Ok(())
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        self.check_writable()?;
        self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.write_all(bytes)).context(&format!(
            "write {} bytes at {at} of {}",
            bytes.len(),
            self.path.display()
        ))
    }
}

impl ByteSink for FileSink {
    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_at(self.len, bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn publish(&mut self, at: u64, length: [u8; 4]) -> Result<()> {
        check_publish(at, self.len)?;
        self.write_at(at, &length)
    }

    fn truncate_to(&mut self, len: u64) -> Result<()> {
        self.check_writable()?;
        check_cut(len, self.len)?;
        self.file.set_len(len).context(&format!("truncate {} to {len}", self.path.display()))?;
        self.len = len;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.check_writable()?;
        self.file.sync_data().context(&format!("flush {}", self.path.display()))
    }
}

impl ByteSource for FileSink {
    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    fn read_exact_at(&mut self, at: u64, out: &mut [u8]) -> Result<()> {
        self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.read_exact(out)).context(&format!(
            "read {} bytes at {at} of {}",
            out.len(),
            self.path.display()
        ))
    }
}
