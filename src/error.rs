//! One error style: `anyhow`, with a [`Code`] in the chain wherever a caller may want to tell one failure from another.

use std::fmt;

pub use anyhow::{Error, Result};

macro_rules! codes {
    ($($variant:ident $name:literal),+ $(,)?) => {
        /// What kind of failure an error is; the names are those of the JavaScript `NidusError.code`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($variant),+ }

        impl Code {
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name),+ }
            }

            pub fn from_name(name: &str) -> Option<Code> {
                match name { $($name => Some(Code::$variant),)+ _ => None }
            }
        }
    };
}

codes! {
    InvalidArgument "INVALID_ARGUMENT",
    DimensionMismatch "DIMENSION_MISMATCH",
    NotFound "NOT_FOUND",
    AlreadyExists "ALREADY_EXISTS",
    ReadOnly "READ_ONLY",
    Locked "LOCKED",
    Closed "CLOSED",
    Failed "FAILED",
    Capacity "CAPACITY",
    OutOfMemory "OUT_OF_MEMORY",
    QuotaExceeded "QUOTA_EXCEEDED",
    StorageUnavailable "STORAGE_UNAVAILABLE",
    StorageFailed "STORAGE_FAILED",
    OutcomeUnknown "OUTCOME_UNKNOWN",
    Corrupt "CORRUPT",
    Unsupported "UNSUPPORTED",
    UnsupportedVersion "UNSUPPORTED_VERSION",
    Aborted "ABORTED",
    WorkerFailed "WORKER_FAILED",
}

/// An error with a code, and with what it came from where there is something.
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

/// As `Display`: escaping text for debugging takes tables of Unicode that the wasm need not carry.
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

pub fn error(code: Code, message: impl Into<String>) -> Error {
    Error::new(Coded { code, message: message.into(), source: None })
}

/// An error with what caused it.
pub fn error_from(code: Code, message: impl Into<String>, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Coded { code, message: message.into(), source: Some(Box::new(source)) })
}

/// What was being done when an error came up. (`anyhow`'s own trait of the name would bring its way of printing for debugging along.)
pub(crate) trait Context<T> {
    fn context(self, doing: &str) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for Result<T, E> {
    fn context(self, doing: &str) -> Result<T> {
        self.map_err(|error| within(error.into(), doing))
    }
}

/// The error, put inside another one with the same code.
#[cold]
#[inline(never)]
pub(crate) fn within(error: Error, message: &str) -> Error {
    Error::new(Coded { code: code_of(&error), message: message.to_string(), source: Some(error.into()) })
}

/// The code of the outermost coded error in the chain; what a medium threw without one is `StorageFailed`.
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

/// Out of line, so that the many places that can fail stay small.
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

/// As many zeros (or what a default is) as asked for, in the vector's own memory where that is enough; or `OUT_OF_MEMORY`.
pub(crate) fn zeros<T: Clone + Default>(vec: &mut Vec<T>, len: usize, what: &str) -> Result<()> {
    vec.clear();
    reserve(vec, len, what)?;
    vec.resize(len, T::default());
    Ok(())
}

/// Room for `additional` more elements, or `OUT_OF_MEMORY`.
pub(crate) fn reserve<T>(vec: &mut Vec<T>, additional: usize, what: &str) -> Result<()> {
    vec.try_reserve(additional).map_err(|_| out_of_memory(what, additional.saturating_mul(size_of::<T>())))
}
