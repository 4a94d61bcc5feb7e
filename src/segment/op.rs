//! The codec of the log's operations: bincode 1's default encoding, written by hand. It is native's own format.
//!
//! Variant indices are u32, lengths and counts are u64, integers are little-endian with a fixed width, a bool is one
//! byte, and maps are in the order of their keys. Every length is checked against the bytes that are left before it is
//! used. Decoding takes no memory.

use crate::bytes::append;
use crate::error::{fail, out_of_memory};
use crate::{Result, Value};

/// The reason why bytes are no operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// The bytes are not in this encoding, or end too early.
    Malformed,
    /// The bytes are well-formed as far as can be told, but have an operation or a value that this version does not
    /// know.
    Unknown,
}

impl Bad {
    /// Makes an error about `what`.
    pub fn error(self, code: crate::Code, what: &str) -> crate::Error {
        let how = match self {
            Bad::Malformed => "malformed",
            Bad::Unknown => "of a kind that this version does not know",
        };
        crate::error(code, format!("{what} is {how}"))
    }
}

/// The variant of native 0.105.0's own upsert: a collection, an id, a list of the vectors' names with their rows,
/// attributes.
const NAMED: u32 = 10;
/// The name of a document's only vector.
const DEFAULT: &str = "default";
/// The names of the operations from 5 on in native 0.105.0.
const LATER: [&str; 7] =
    ["UpsertText", "SetFtsSchema", "SetFtsFields", "SetFilterIndex", "Reinforce", "UpsertVectors", "SetVectorNames"];

/// Reads bytes from front to back.
#[derive(Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Bad> {
        let end = self.at.checked_add(n).ok_or(Bad::Malformed)?;
        let taken = self.bytes.get(self.at..end).ok_or(Bad::Malformed)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        self.take(N)?.try_into().map_err(|_| Bad::Malformed)
    }

    pub fn u8(&mut self) -> Result<u8, Bad> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u32(&mut self) -> Result<u32, Bad> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, Bad> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Reads a count of things that take at least `least` bytes each.
    pub fn count(&mut self, least: usize) -> Result<usize, Bad> {
        let count = usize::try_from(self.u64()?).map_err(|_| Bad::Malformed)?;
        if count > self.left() / least { Err(Bad::Malformed) } else { Ok(count) }
    }

    fn bytes(&mut self) -> Result<&'a [u8], Bad> {
        let len = self.count(1)?;
        self.take(len)
    }

    pub fn str(&mut self) -> Result<&'a str, Bad> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Bad::Malformed)
    }

    /// Reads a string of a map that was checked before.
    pub fn raw_str(&mut self) -> Result<&'a [u8], Bad> {
        self.bytes()
    }

    /// Reads a value's variant and its bytes, without checking them. The bytes of a text come without its length.
    pub fn raw_value(&mut self) -> Result<(u8, &'a [u8]), Bad> {
        let variant = self.u32()?;
        let start = self.at;
        match variant {
            0 => {}
            1 => return Ok((1, self.bytes()?)),
            3 => _ = self.u8()?,
            4 => {
                for _ in 0..self.count(8)? {
                    self.bytes()?;
                }
            }
            2 | 5 | 6 => _ = self.u64()?,
            _ => return Err(Bad::Unknown),
        }
        Ok((variant as u8, self.since(start)))
    }

    pub fn value(&mut self) -> Result<ValueRef<'a>, Bad> {
        Ok(match self.u32()? {
            0 => ValueRef::Null,
            1 => ValueRef::Str(self.str()?),
            2 => ValueRef::Int(self.u64()? as i64),
            3 => match self.u8()? {
                0 => ValueRef::Bool(false),
                1 => ValueRef::Bool(true),
                _ => return Err(Bad::Malformed),
            },
            4 => {
                let start = self.at;
                for _ in 0..self.count(8)? {
                    self.str()?;
                }
                ValueRef::List(self.since(start))
            }
            5 => ValueRef::Float(f64::from_bits(self.u64()?)),
            6 => ValueRef::DateTime(self.u64()? as i64),
            _ => return Err(Bad::Unknown),
        })
    }

    /// Reads an attribute map and checks all of it.
    #[inline(never)]
    pub fn attrs(&mut self) -> Result<AttrsScan<'a>, Bad> {
        let start = self.at;
        let (mut canonical, mut newer, mut before) = (true, false, None);
        for _ in 0..self.count(12)? {
            let key = self.str()?;
            canonical &= before.is_none_or(|before| before < key);
            before = Some(key);
            newer |= matches!(self.value()?, ValueRef::Float(_) | ValueRef::DateTime(_));
        }
        Ok(AttrsScan { bytes: self.since(start), canonical, newer })
    }

    /// Reads a list of vectors that has only the default one, and returns its row. Fails if the list has others.
    fn only_default(&mut self) -> Result<u64, Bad> {
        let count = self.count(16)?;
        let (mut only, mut row) = (count == 1, 0);
        for _ in 0..count {
            only &= self.str()? == DEFAULT;
            row = self.u64()?;
        }
        if only { Ok(row) } else { Err(Bad::Unknown) }
    }

    /// Reads a map of strings and checks all of it.
    pub fn meta(&mut self) -> Result<&'a [u8], Bad> {
        let start = self.at;
        for _ in 0..self.count(16)? {
            self.str()?;
            self.str()?;
        }
        Ok(self.since(start))
    }
}

/// The result of a walk over an attribute map.
#[derive(Clone, Copy, Debug)]
pub struct AttrsScan<'a> {
    pub bytes: &'a [u8],
    /// True if the keys ascend and differ.
    pub canonical: bool,
    /// True if the map holds a value that native 0.3.0 does not know.
    pub newer: bool,
}

/// A value that refers to its encoded bytes. The bytes of a list are a count and that many strings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    Null,
    Str(&'a str),
    Int(i64),
    Bool(bool),
    List(&'a [u8]),
    Float(f64),
    DateTime(i64),
}

impl ValueRef<'_> {
    pub fn to_value(self) -> Result<Value> {
        Ok(match self {
            ValueRef::Null => Value::Null,
            ValueRef::Str(text) => Value::Str(text.to_string()),
            ValueRef::Int(int) => Value::Int(int),
            ValueRef::Bool(bool) => Value::Bool(bool),
            ValueRef::Float(float) => Value::Float(float),
            ValueRef::DateTime(ms) => Value::DateTime(ms),
            ValueRef::List(bytes) => Value::List(list(bytes).map(str::to_string).collect()),
        })
    }
}

/// Returns the strings of a list that was checked before. It ends early at bytes that are no string.
pub fn list(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let mut reader = Reader::new(bytes);
    let count = reader.count(8).unwrap_or(0);
    (0..count).map_while(move |_| reader.str().ok())
}

/// An operation that refers to its encoded bytes. `attrs` and `meta` are encoded maps.
#[derive(Clone, Copy, Debug)]
pub enum Op<'a> {
    Create {
        collection: &'a str,
    },
    Drop {
        collection: &'a str,
    },
    SetMeta {
        collection: &'a str,
        meta: &'a [u8],
    },
    /// `named` is true for native 0.105.0's own form, which names the vectors. It is read and never written.
    Upsert {
        collection: &'a str,
        id: &'a str,
        row: u64,
        attrs: AttrsScan<'a>,
        named: bool,
    },
    Delete {
        collection: &'a str,
        id: &'a str,
    },
}

impl<'a> Op<'a> {
    /// Decodes the operation at the beginning of `payload`. Returns it with the number of bytes that it takes. Bytes
    /// behind it are accepted, as native accepts them.
    pub fn decode(payload: &'a [u8]) -> Result<(Op<'a>, usize), Bad> {
        let mut reader = Reader::new(payload);
        let variant = reader.u32()?;
        if variant > 4 && variant != NAMED {
            return Err(Bad::Unknown);
        }
        let collection = reader.str()?;
        let op = match variant {
            0 => Op::Create { collection },
            1 => Op::Drop { collection },
            2 => Op::SetMeta { collection, meta: reader.meta()? },
            3 => Op::Upsert { collection, id: reader.str()?, row: reader.u64()?, attrs: reader.attrs()?, named: false },
            4 => Op::Delete { collection, id: reader.str()? },
            _ => {
                let id = reader.str()?;
                let row = reader.only_default()?;
                Op::Upsert { collection, id, row, attrs: reader.attrs()?, named: true }
            }
        };
        Ok((op, reader.at()))
    }

    /// Returns the number of bytes that `encode` writes.
    pub fn encoded_len(&self) -> usize {
        match self {
            Op::Create { collection } | Op::Drop { collection } => 12 + collection.len(),
            Op::SetMeta { collection, meta } => 12 + collection.len() + meta.len(),
            Op::Upsert { collection, id, attrs, .. } => 28 + collection.len() + id.len() + attrs.bytes.len(),
            Op::Delete { collection, id } => 20 + collection.len() + id.len(),
        }
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let (variant, name) = match self {
            Op::Create { collection } => (0u32, collection),
            Op::Drop { collection } => (1, collection),
            Op::SetMeta { collection, .. } => (2, collection),
            Op::Upsert { collection, .. } => (3, collection),
            Op::Delete { collection, .. } => (4, collection),
        };
        out.extend_from_slice(&variant.to_le_bytes());
        put_str(out, name);
        match self {
            Op::Create { .. } | Op::Drop { .. } => {}
            Op::SetMeta { meta, .. } => out.extend_from_slice(meta),
            Op::Upsert { id, row, attrs, .. } => {
                put_str(out, id);
                out.extend_from_slice(&row.to_le_bytes());
                append(out, attrs.bytes);
            }
            Op::Delete { id, .. } => put_str(out, id),
        }
    }

    /// Names the operation that [`decode`](Self::decode) does not know.
    #[cold]
    pub fn unknown(payload: &[u8]) -> String {
        let mut reader = Reader::new(payload);
        let variant = reader.u32().unwrap_or(0);
        let mut vectors = || {
            let (_, _, count) = (reader.str()?, reader.str()?, reader.count(16)?);
            let mut names = String::new();
            for _ in 0..count.min(8) {
                names.push_str(&format!(" \"{:.64}\"", reader.str()?));
                reader.u64()?;
            }
            Ok::<_, Bad>(format!(": it has {count} vectors,{names}"))
        };
        let (name, more) = match variant {
            0..=4 => ("", " with a value of an unknown kind".to_string()),
            NAMED => ("UpsertVectors", vectors().unwrap_or_default()),
            _ => (*LATER.get(variant as usize - 5).unwrap_or(&""), String::new()),
        };
        format!("an operation {variant} {name}{more}")
    }

    /// Returns whether the operation has a value that native 0.3.0 does not know.
    pub fn newer(&self) -> bool {
        matches!(self, Op::Upsert { attrs, .. } if attrs.newer)
    }

    /// Returns whether natives before 0.105.0 do not know the operation.
    pub fn named(&self) -> bool {
        matches!(self, Op::Upsert { named: true, .. })
    }
}

pub fn put_str(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    append(out, text.as_bytes());
}

pub fn put_value(out: &mut Vec<u8>, value: &Value) {
    let variant = |out: &mut Vec<u8>, n: u32| out.extend_from_slice(&n.to_le_bytes());
    match value {
        Value::Null => variant(out, 0),
        Value::Str(text) => {
            variant(out, 1);
            put_str(out, text);
        }
        Value::Int(int) => {
            variant(out, 2);
            out.extend_from_slice(&int.to_le_bytes());
        }
        Value::Bool(bool) => {
            variant(out, 3);
            out.push(u8::from(*bool));
        }
        Value::List(items) => {
            variant(out, 4);
            out.extend_from_slice(&(items.len() as u64).to_le_bytes());
            items.iter().for_each(|item| put_str(out, item));
        }
        Value::Float(float) => {
            variant(out, 5);
            out.extend_from_slice(&float.to_bits().to_le_bytes());
        }
        Value::DateTime(ms) => {
            variant(out, 6);
            out.extend_from_slice(&ms.to_le_bytes());
        }
    }
}

pub fn put_attrs<'a>(out: &mut Vec<u8>, entries: impl Iterator<Item = (&'a str, &'a Value)>, count: usize) {
    out.extend_from_slice(&(count as u64).to_le_bytes());
    for (key, value) in entries {
        put_str(out, key);
        put_value(out, value);
    }
}

pub fn put_meta(out: &mut Vec<u8>, meta: &crate::Meta) {
    out.extend_from_slice(&(meta.len() as u64).to_le_bytes());
    for (key, value) in meta {
        put_str(out, key);
        put_str(out, value);
    }
}

/// Returns an encoded map with its keys ascending and, of equal keys, only the last: what native would write after
/// reading it. `skip` reads past one value of the map's kind, and returns whether its key stays.
pub fn canonical(bytes: &[u8], skip: fn(&mut Reader<'_>) -> Result<bool, Bad>) -> Result<Vec<u8>> {
    let malformed = |bad: Bad| bad.error(crate::Code::InvalidArgument, "an encoded map");
    let mut reader = Reader::new(bytes);
    let count = reader.count(9).map_err(malformed)?;
    let mut entries: Vec<(&str, &[u8])> = Vec::new();
    crate::error::reserve(&mut entries, count, "sorting a map")?;
    for _ in 0..count {
        let start = reader.at();
        let key = reader.str().map_err(malformed)?;
        let stays = skip(&mut reader).map_err(malformed)?;
        entries.push((key, if stays { reader.since(start) } else { &[] }));
    }
    if reader.left() > 0 {
        fail!(InvalidArgument, "{} bytes too many behind an encoded map", reader.left());
    }
    let mut order: Vec<u32> = Vec::new();
    crate::error::reserve(&mut order, count, "sorting a map")?;
    order.extend(0..count as u32);
    let key = |n: u32| (entries[n as usize].0, n);
    crate::order::sort_by(&mut order, &|a, b| key(a).cmp(&key(b)))?;
    let mut out = Vec::new();
    out.try_reserve_exact(bytes.len()).map_err(|_| out_of_memory("a map", bytes.len()))?;
    out.extend_from_slice(&[0; 8]);
    let mut kept = 0u64;
    for (i, n) in order.iter().enumerate() {
        let (key, entry) = entries[*n as usize];
        if order.get(i + 1).is_none_or(|next| entries[*next as usize].0 != key) {
            out.extend_from_slice(entry);
            kept += u64::from(!entry.is_empty());
        }
    }
    out[..8].copy_from_slice(&kept.to_le_bytes());
    Ok(out)
}

pub fn skip_value(reader: &mut Reader<'_>) -> Result<bool, Bad> {
    reader.value().map(|_| true)
}

pub fn skip_str(reader: &mut Reader<'_>) -> Result<bool, Bad> {
    reader.str().map(|_| true)
}
