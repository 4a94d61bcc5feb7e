//! A second implementation of recovery (SPEC 2.3). It looks at the whole log at once and tries everything.

use std::collections::BTreeMap;

use nidus_wasm::{Code, Meta, Value};

use super::codec::{self, Attrs, Bad, Op};

const SECTOR: usize = 512;

/// The collections: their metadata, and the row and the attributes of each id.
pub type Rows = BTreeMap<String, (Meta, BTreeMap<String, (u64, Attrs)>)>;

#[derive(Debug)]
pub enum Verdict {
    /// The number of bytes of the log that are kept, and the collections.
    Opens(usize, Rows),
    Refused(Code),
}

/// Returns the payload of the frame at `at`, if its length and its checksum are right.
fn payload(log: &[u8], at: usize) -> Option<&[u8]> {
    let len = u32::from_le_bytes(log.get(at..at + 4)?.try_into().ok()?);
    if len == 0 || len == u32::MAX {
        return None;
    }
    let end = at + 4 + len as usize;
    let crc = u32::from_le_bytes(log.get(end..end + 4)?.try_into().ok()?);
    (codec::crc32(&log[at + 4..end]) == crc).then(|| &log[at + 4..end])
}

/// Returns whether a crash can have left the bytes at `at`, whatever follows. There is no good frame there.
fn crash_left(log: &[u8], at: usize) -> bool {
    // The sector in which the length ends.
    let sector_end = ((at + 3) / SECTOR + 1) * SECTOR;
    if log[at..sector_end.min(log.len())].iter().all(|byte| *byte == 0) {
        return true;
    }
    let shut = |from: usize, to: usize| {
        let part = &log[from.min(log.len())..to.min(log.len())];
        !part.is_empty() && part.iter().all(|byte| *byte == 0xFF)
    };
    let boundary = (at / SECTOR + 1) * SECTOR;
    let across = boundary < at + 4 && (shut(at, boundary) || shut(boundary, at + 4));
    shut(at, at + 4) || shut(at + 3, at + 4) || across
}

/// Returns whether some version wrote this frame: it is an operation, or has an operation or a value that is not known
/// here.
fn written_by_someone(payload: &[u8]) -> bool {
    match codec::decode(payload) {
        Ok(_) => true,
        Err(Bad::Unknown) => payload[1..4] == [0; 3],
        Err(Bad::Malformed) => false,
    }
}

fn apply(state: &mut Rows, op: Op, rows: u64) -> Result<(), Code> {
    match op {
        Op::Create(collection) => {
            state.entry(collection).or_default();
        }
        Op::Drop(collection) => {
            state.remove(&collection);
        }
        Op::SetMeta(collection, meta) => state.entry(collection).or_default().0 = codec::meta(&meta),
        Op::Upsert(collection, id, row, attrs) => {
            let mut owners =
                state.iter().flat_map(|(name, (_, docs))| docs.iter().map(move |(id, doc)| (name, id, doc.0)));
            if row >= rows || owners.any(|(name, other, taken)| taken == row && (*name != collection || *other != id)) {
                return Err(Code::Corrupt);
            }
            state.entry(collection).or_default().1.insert(id, (row, attrs.into_iter().collect()));
        }
        Op::Delete(collection, id) => {
            if let Some((_, docs)) = state.get_mut(&collection) {
                docs.remove(&id);
            }
        }
    }
    Ok(())
}

/// Returns whether the last frame of a good log holds a value that native 0.3.0 does not know.
pub fn ends_newer(log: &[u8]) -> bool {
    let (mut at, mut newer) = (0, false);
    while let Some(payload) = payload(log, at) {
        newer = match codec::decode(payload) {
            Ok(Op::Upsert(.., attrs)) => {
                attrs.iter().any(|(_, value)| matches!(value, Value::Float(_) | Value::DateTime(_)))
            }
            _ => false,
        };
        at += payload.len() + 8;
    }
    newer
}

/// Returns whether a crash can have left a log whose first frame is not good. A frame begins with its length, the
/// number of its operation and the length of a name. Bytes that are missing or were not written read as zeros. Any
/// other bytes belong to another program.
fn begun(log: &[u8]) -> bool {
    let mut first = log[..log.len().min(16)].to_vec();
    first.resize(16, 0);
    let [len, variant, name, more] = [0, 4, 8, 12].map(|at| u32::from_le_bytes(first[at..at + 4].try_into().unwrap()));
    let longest = if log.len() < 8 { 1 << 20 } else { 1 << 30 };
    let shut = log[..log.len().min(4)].iter().all(|byte| *byte == 0xFF) || log.get(3) == Some(&0xFF);
    (shut || len <= longest) && variant < 16 && name <= 1 << 20 && more == 0
}

/// Decides about a log, given the number of rows in the data.
pub fn read(log: &[u8], rows: u64) -> Verdict {
    let (mut state, mut at) = (Rows::new(), 0);
    while let Some(payload) = payload(log, at) {
        let applied = match codec::decode(payload) {
            Ok(op) => apply(&mut state, op, rows),
            Err(Bad::Unknown) => Err(Code::UnsupportedVersion),
            Err(Bad::Malformed) => Err(Code::Corrupt),
        };
        if let Err(code) = applied {
            return Verdict::Refused(code);
        }
        at += payload.len() + 8;
    }
    if at == 0 && !log.is_empty() && !begun(log) {
        return Verdict::Refused(Code::Corrupt);
    }
    if at < log.len()
        && !crash_left(log, at)
        && (at + 1..log.len()).any(|at| payload(log, at).is_some_and(written_by_someone))
    {
        return Verdict::Refused(Code::Corrupt);
    }
    Verdict::Opens(at, state)
}
