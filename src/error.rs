//! One style of errors: `anyhow`, with a [`Code`] in the chain wherever a caller may want to tell failures apart.

use std::fmt;

pub use anyhow::{Error, Result};

macro_rules! codes {
    ($($(#[$doc:meta])+ $variant:ident $name:literal),+ $(,)?) => {
        /// The kind of a failure. The names are those of the JavaScript `NidusError.code`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])+ $variant),+ }

        impl Code {
            /// Returns the name that JavaScript sees, for instance `NOT_FOUND`.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name),+ }
            }

            /// Returns the code with this name, if there is one.
            pub fn from_name(name: &str) -> Option<Code> {
                match name { $($name => Some(Code::$variant),)+ _ => None }
            }
        }
    };
}

codes! {
    /// An argument has a wrong type or value. The message names it, and says what the call takes.
    InvalidArgument "INVALID_ARGUMENT",
    /// A vector has another length than the store's dimension, or the store another dimension than was given. Pass
    /// vectors of the store's model, or use another store.
    DimensionMismatch "DIMENSION_MISMATCH",
    /// The store, collection or record does not exist. Create it first, or correct its name.
    NotFound "NOT_FOUND",
    /// A store with this name exists already. Use another name, remove the store, or ask for its replacement.
    AlreadyExists "ALREADY_EXISTS",
    /// The store was opened read-only and takes no writes. Open it for writing.
    ReadOnly "READ_ONLY",
    /// Another process, tab or thread has the store open. Close it there.
    Locked "LOCKED",
    /// The store was closed, or its worker ended. Open it again.
    Closed "CLOSED",
    /// A write failed in a way that leaves the contents of the files unknown. Open the store again.
    Failed "FAILED",
    /// A limit of the store or of the format is reached. The message names the limit. Some can be set when opening.
    Capacity "CAPACITY",
    /// There is not enough memory. Free some, use compact memory, or pass smaller batches.
    OutOfMemory "OUT_OF_MEMORY",
    /// The disk or the browser's quota is full. Nothing was lost: free some space and try again.
    QuotaExceeded "QUOTA_EXCEEDED",
    /// This kind of storage does not exist here, or is denied. Choose another kind, or allow it.
    StorageUnavailable "STORAGE_UNAVAILABLE",
    /// A read or a write of the storage failed. The cause says why. Try again once it is mended.
    StorageFailed "STORAGE_FAILED",
    /// A write may or may not have been made, but never in part. Read the records to find out, or write them again.
    OutcomeUnknown "OUTCOME_UNKNOWN",
    /// The bytes are damaged in a way that no crash leaves. Nothing was changed. Salvage the store, or restore a copy.
    Corrupt "CORRUPT",
    /// This runtime, or this kind of storage, lacks something that the call needs. The message names it.
    Unsupported "UNSUPPORTED",
    /// A newer version wrote the bytes. Nothing was changed. Use that version.
    UnsupportedVersion "UNSUPPORTED_VERSION",
    /// The caller's signal aborted the call before it had an effect.
    Aborted "ABORTED",
    /// A worker could not be started, or it failed. Open the store again.
    WorkerFailed "WORKER_FAILED",
}

/// An error with a code and, if there is one, its cause.
struct Coded {
    code: Code,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Writes the code and the message. Escaping a text for debugging would need tables of Unicode in the wasm.
impl fmt::Debug for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

impl std::error::Error for Coded {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Makes an error with a code and a message.
pub fn error(code: Code, message: impl Into<String>) -> Error {
    Error::new(Coded { code, message: message.into(), source: None })
}

/// Makes an error with a cause.
pub fn error_from(
    code: Code,
    message: impl Into<String>,
    source: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::new(Coded { code, message: message.into(), source: Some(Box::new(source)) })
}

/// Adds to an error what was being done when it occurred. `anyhow`'s own trait of this name would add its way of
/// printing for debugging to the wasm.
pub(crate) trait Context<T> {
    fn context(self, doing: &str) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for Result<T, E> {
    fn context(self, doing: &str) -> Result<T> {
        self.map_err(|error| within(error.into(), doing))
    }
}

/// Puts the error inside another one with the same code.
#[cold]
#[inline(never)]
pub(crate) fn within(error: Error, message: &str) -> Error {
    Error::new(Coded { code: code_of(&error), message: message.to_string(), source: Some(error.into()) })
}

/// Returns the code of the outermost error in the chain that has one. An I/O error counts as `QuotaExceeded` if the
/// disk is full, and otherwise as `StorageFailed`. If no error has a code, returns `StorageFailed`.
pub fn code_of(error: &Error) -> Code {
    for cause in error.chain() {
        if let Some(coded) = cause.downcast_ref::<Coded>() {
            return coded.code;
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return match io.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Code::QuotaExceeded,
                _ => Code::StorageFailed,
            };
        }
    }
    Code::StorageFailed
}

#[cold]
#[inline(never)]
pub(crate) fn out_of_memory(what: &str, bytes: usize) -> Error {
    error(Code::OutOfMemory, format!("out of memory: {bytes} bytes for {what}"))
}

/// Makes an error from a message that is not formatted yet. It is a function of its own, so that the many places that
/// can fail stay small.
#[cold]
#[inline(never)]
pub(crate) fn formatted(code: Code, message: fmt::Arguments<'_>) -> Error {
    Error::new(Coded { code, message: message.to_string(), source: None })
}

macro_rules! fail {
    ($code:ident, $($arg:tt)+) => {
        return Err($crate::error::formatted($crate::error::Code::$code, format_args!($($arg)+)))
    };
}
pub(crate) use fail;

/// Fills the vector with `len` zeros (or defaults), in its own memory if that is large enough. Fails with
/// `OUT_OF_MEMORY`.
pub(crate) fn zeros<T: Clone + Default>(vec: &mut Vec<T>, len: usize, what: &str) -> Result<()> {
    vec.clear();
    reserve(vec, len, what)?;
    vec.resize(len, T::default());
    Ok(())
}

/// Makes room for `additional` more elements, or fails with `OUT_OF_MEMORY`.
pub(crate) fn reserve<T>(vec: &mut Vec<T>, additional: usize, what: &str) -> Result<()> {
    vec.try_reserve(additional).map_err(|_| out_of_memory(what, additional.saturating_mul(size_of::<T>())))
}
