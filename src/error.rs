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
    /// An argument is not of the form that the call takes.
    InvalidArgument "INVALID_ARGUMENT",
    /// A vector, or a store, has another dimension than was asked for.
    DimensionMismatch "DIMENSION_MISMATCH",
    /// There is no such store or collection.
    NotFound "NOT_FOUND",
    /// There is such a thing already.
    AlreadyExists "ALREADY_EXISTS",
    /// The store was opened read-only.
    ReadOnly "READ_ONLY",
    /// Somebody else has the store open.
    Locked "LOCKED",
    /// The store was closed.
    Closed "CLOSED",
    /// The medium may hold more or less than the store knows. The store must be opened again.
    Failed "FAILED",
    /// A limit of the store or of the format is reached.
    Capacity "CAPACITY",
    /// There is not enough memory.
    OutOfMemory "OUT_OF_MEMORY",
    /// The storage has no more room.
    QuotaExceeded "QUOTA_EXCEEDED",
    /// The storage cannot be used here.
    StorageUnavailable "STORAGE_UNAVAILABLE",
    /// The storage failed to read or to write.
    StorageFailed "STORAGE_FAILED",
    /// Nobody can tell whether the write was made.
    OutcomeUnknown "OUTCOME_UNKNOWN",
    /// The bytes are damaged in a way that no crash leaves.
    Corrupt "CORRUPT",
    /// This cannot be done here.
    Unsupported "UNSUPPORTED",
    /// The bytes are of a version that is not known here.
    UnsupportedVersion "UNSUPPORTED_VERSION",
    /// The call was given up before it had an effect.
    Aborted "ABORTED",
    /// The worker that has the store failed.
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

/// The same as `Display`. Escaping a text for debugging would need tables of Unicode in the wasm.
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

/// Says what was being done when an error occurred. `anyhow`'s own trait of this name would add its way of printing for
/// debugging to the wasm.
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

/// Returns the code of the outermost coded error in the chain. An error of the storage without a code is
/// `StorageFailed`.
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

/// This is a function of its own, so that the many places that can fail stay small.
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
