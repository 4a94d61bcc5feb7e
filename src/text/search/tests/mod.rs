//! The answers are those of an oracle, bit for bit, whatever was done to the index before.

mod faults;
mod files;
mod histories;
mod oracle;
mod parts;
