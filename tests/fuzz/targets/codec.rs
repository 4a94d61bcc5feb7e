//! The encoding of the log, written a second time from SPEC 1.2, slowly and with owned values.

use std::collections::BTreeMap;

use nidus_wasm::{Meta, Value};

pub use super::crc32::crc32;

pub type Attrs = BTreeMap<String, Value>;

#[derive(Clone, Debug)]
pub enum Op {
    Create(String),
    Drop(String),
    SetMeta(String, Vec<(String, String)>),
    Upsert(String, String, u64, Vec<(String, Value)>),
    Delete(String, String),
}

#[derive(Debug, PartialEq)]
pub enum Bad {
    Malformed,
    /// An operation or a value of another version.
    Unknown,
}

pub fn frame(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_le_bytes(), payload, &crc32(payload).to_le_bytes()].concat()
}

pub fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.bytes());
}

pub fn value(out: &mut Vec<u8>, value: &Value) {
    let (variant, fixed): (u32, Vec<u8>) = match value {
        Value::Null => (0, vec![]),
        Value::Str(_) => (1, vec![]),
        Value::Int(int) => (2, int.to_le_bytes().to_vec()),
        Value::Bool(bool) => (3, vec![u8::from(*bool)]),
        Value::List(items) => (4, (items.len() as u64).to_le_bytes().to_vec()),
        Value::Float(float) => (5, float.to_bits().to_le_bytes().to_vec()),
        Value::DateTime(ms) => (6, ms.to_le_bytes().to_vec()),
    };
    out.extend(variant.to_le_bytes());
    out.extend(fixed);
    match value {
        Value::Str(string) => text(out, string),
        Value::List(items) => items.iter().for_each(|item| text(out, item)),
        _ => {}
    }
}

/// Writes an attribute map with its entries in the given order.
pub fn entries<'a>(out: &mut Vec<u8>, entries: impl ExactSizeIterator<Item = (&'a String, &'a Value)>) {
    out.extend((entries.len() as u64).to_le_bytes());
    for (key, entry) in entries {
        text(out, key);
        value(out, entry);
    }
}

/// Returns the one encoding that all equal maps share.
pub fn canonical(attrs: &Attrs) -> Vec<u8> {
    let mut out = Vec::new();
    entries(&mut out, attrs.iter());
    out
}

pub fn encode(op: &Op) -> Vec<u8> {
    let mut out = Vec::new();
    let (variant, collection) = match op {
        Op::Create(collection) => (0u32, collection),
        Op::Drop(collection) => (1, collection),
        Op::SetMeta(collection, _) => (2, collection),
        Op::Upsert(collection, ..) => (3, collection),
        Op::Delete(collection, _) => (4, collection),
    };
    out.extend(variant.to_le_bytes());
    text(&mut out, collection);
    match op {
        Op::Create(_) | Op::Drop(_) => {}
        Op::SetMeta(_, meta) => {
            out.extend((meta.len() as u64).to_le_bytes());
            for (key, value) in meta {
                text(&mut out, key);
                text(&mut out, value);
            }
        }
        Op::Upsert(_, id, row, attrs) => {
            text(&mut out, id);
            out.extend(row.to_le_bytes());
            entries(&mut out, attrs.iter().map(|(key, value)| (key, value)).collect::<Vec<_>>().into_iter());
        }
        Op::Delete(_, id) => text(&mut out, id),
    }
    out
}

struct Decoder<'a>(&'a [u8]);

impl Decoder<'_> {
    fn take(&mut self, n: u64) -> Result<Vec<u8>, Bad> {
        if n > self.0.len() as u64 {
            return Err(Bad::Malformed);
        }
        let (taken, rest) = self.0.split_at(n as usize);
        self.0 = rest;
        Ok(taken.to_vec())
    }

    fn number(&mut self, bytes: u64) -> Result<u64, Bad> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    /// Reads how many things follow. Fails if they cannot be there, because each of them takes at least `least` bytes.
    fn count(&mut self, least: u128) -> Result<u64, Bad> {
        let count = self.number(8)?;
        if u128::from(count) * least > self.0.len() as u128 { Err(Bad::Malformed) } else { Ok(count) }
    }

    fn text(&mut self) -> Result<String, Bad> {
        let len = self.number(8)?;
        String::from_utf8(self.take(len)?).map_err(|_| Bad::Malformed)
    }

    fn value(&mut self) -> Result<Value, Bad> {
        Ok(match self.number(4)? {
            0 => Value::Null,
            1 => Value::Str(self.text()?),
            2 => Value::Int(self.number(8)? as i64),
            3 => match self.number(1)? {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                _ => return Err(Bad::Malformed),
            },
            4 => Value::List((0..self.count(8)?).map(|_| self.text()).collect::<Result<_, _>>()?),
            5 => Value::Float(f64::from_bits(self.number(8)?)),
            6 => Value::DateTime(self.number(8)? as i64),
            _ => return Err(Bad::Unknown),
        })
    }
}

/// Reads an attribute map. Fails if bytes follow it.
pub fn decode_attrs(bytes: &[u8]) -> Result<Attrs, Bad> {
    let mut decoder = Decoder(bytes);
    let attrs = (0..decoder.count(12)?).map(|_| Ok((decoder.text()?, decoder.value()?))).collect::<Result<_, _>>()?;
    if decoder.0.is_empty() { Ok(attrs) } else { Err(Bad::Malformed) }
}

/// Reads the operation at the beginning of a payload.
pub fn decode(payload: &[u8]) -> Result<Op, Bad> {
    let mut decoder = Decoder(payload);
    let variant = decoder.number(4)?;
    if variant > 4 && variant != 10 {
        return Err(Bad::Unknown);
    }
    let collection = decoder.text()?;
    Ok(match variant {
        0 => Op::Create(collection),
        1 => Op::Drop(collection),
        2 => Op::SetMeta(
            collection,
            (0..decoder.count(16)?).map(|_| Ok((decoder.text()?, decoder.text()?))).collect::<Result<_, _>>()?,
        ),
        3 => {
            let (id, row) = (decoder.text()?, decoder.number(8)?);
            Op::Upsert(
                collection,
                id,
                row,
                (0..decoder.count(12)?).map(|_| Ok((decoder.text()?, decoder.value()?))).collect::<Result<_, _>>()?,
            )
        }
        4 => Op::Delete(collection, decoder.text()?),
        _ => {
            let id = decoder.text()?;
            let vectors: Vec<(String, u64)> =
                (0..decoder.count(16)?).map(|_| Ok((decoder.text()?, decoder.number(8)?))).collect::<Result<_, _>>()?;
            let [(name, row)] = vectors.as_slice() else { return Err(Bad::Unknown) };
            if name != "default" {
                return Err(Bad::Unknown);
            }
            Op::Upsert(
                collection,
                id,
                *row,
                (0..decoder.count(12)?).map(|_| Ok((decoder.text()?, decoder.value()?))).collect::<Result<_, _>>()?,
            )
        }
    })
}

pub fn meta(pairs: &[(String, String)]) -> Meta {
    pairs.iter().cloned().collect()
}
