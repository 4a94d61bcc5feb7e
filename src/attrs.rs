//! The attributes of documents in memory. A key, or a value that occurs again, is *interned*: the [`Interner`] stores
//! it once as an *item* and gives it a number. A value that occurs once is stored in its document, without the wide
//! lengths of the log. Each attribute is its key and then its value. Both begin with a number of one or more bytes. If
//! its lowest bit is 0, the other bits are the number of an item. If it is 1, they are the count of bytes that follow.

use std::collections::BTreeMap;

use hashbrown::HashTable;

use crate::bytes::append;
use crate::error::{reserve, zeros};
use crate::hash::{Hasher, hash};
use crate::segment::op::{self, Bad, Reader, ValueRef};
use crate::{Code, Result, Value};

/// The most memory of all items together. When it is full, new keys and values are stored in their documents.
const MOST_BYTES: usize = 8 << 20;
/// The lengths of items, in bytes. A shorter value takes no more memory than the number of an item. Keys may be
/// shorter.
const LENGTHS: std::ops::RangeInclusive<usize> = 3..=256;
/// The most keys that are remembered one by one because they had a list.
const KEYS_WITH_LISTS: usize = 32;
/// The number of places that remember which values occurred once.
const PLACES: usize = 4096;

/// The variant of `true`. `false` has the variant that booleans have in the log.
const TRUE: u8 = 7;
/// The variant of texts.
const TEXT: u8 = 1;
/// The variant of lists.
const LIST: u8 = 4;

/// Stores keys and repeated values of a store only once.
#[derive(Default)]
pub struct Interner {
    bytes: Vec<u8>,
    /// The end of item `n`, where the next one begins.
    ends: Vec<u32>,
    table: HashTable<u32>,
    /// Parts of the hashes of values that occurred once. A value may lose its place to another one. Then it only
    /// becomes an item later.
    once: Vec<u32>,
    /// The numbers of the keys of the previous document.
    keys: Vec<u32>,
    space: Vec<u8>,
    /// For each of the first keys that had a list, its number plus one. The places that are left have 0.
    lists: [u32; KEYS_WITH_LISTS],
    /// True if other keys may have had a list, too.
    other_lists: bool,
}

impl Interner {
    /// Packs an encoded map behind `out`. The map was checked before, and `out` has room for as many bytes as the map
    /// has.
    pub fn pack(&mut self, attrs: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut space = std::mem::take(&mut self.space);
        space.clear();
        reserve(&mut space, *LENGTHS.end(), "ids and attributes")?;
        let packed = self.pack_entries(Reader::new(attrs), &mut space, out);
        self.space = space;
        packed.map_err(|bad| bad.error(Code::Corrupt, "an attribute"))
    }

    fn pack_entries(&mut self, mut reader: Reader<'_>, space: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), Bad> {
        for n in 0..reader.count(12)? {
            let key = reader.raw_str()?;
            // Most documents have the keys of the document before.
            let known = self.keys.get(n).copied().filter(|number| self.item(*number) == key);
            let number = match known {
                Some(number) => {
                    put_number(out, u64::from(number) << 1);
                    known
                }
                None => {
                    let number = self.put(key, true, out);
                    if let Some(number) = number
                        && n <= self.keys.len()
                        && reserve(&mut self.keys, 1, "").is_ok()
                    {
                        self.keys.truncate(n);
                        self.keys.push(number);
                    }
                    number
                }
            };
            let (variant, bytes) = reader.raw_value()?;
            if variant == LIST {
                self.had_list(number);
            }
            // A long text or list never becomes an item. So it is not copied twice, and no memory of its size is kept.
            if bytes.len() >= *LENGTHS.end() {
                put_number(out, ((bytes.len() as u64 + 1) << 1) | 1);
                out.push(variant);
                out.extend_from_slice(bytes);
                continue;
            }
            space.clear();
            put_value(space, variant, bytes);
            self.put(space, false, out);
        }
        Ok(())
    }

    fn had_list(&mut self, key: Option<u32>) {
        let entry = key.map_or(0, |number| number + 1);
        match self.lists.iter_mut().find(|known| **known == entry || **known == 0) {
            Some(place) if entry > 0 => *place = entry,
            _ => self.other_lists = true,
        }
    }

    /// Returns whether a document may have a list under this key. It never forgets that one had.
    pub fn may_have_list(&self, key: &str) -> bool {
        let is_key = |entry: &u32| *entry > 0 && self.item(entry - 1) == key.as_bytes();
        self.other_lists || self.lists.iter().any(is_key)
    }

    /// Writes the number of an item, or its bytes if it is not stored. Returns the number. `out` has room for all of
    /// it.
    fn put(&mut self, item: &[u8], at_once: bool, out: &mut Vec<u8>) -> Option<u32> {
        let number = self.number(item, at_once);
        match number {
            Some(number) => put_number(out, u64::from(number) << 1),
            None => {
                put_number(out, (item.len() as u64) << 1 | 1);
                append(out, item);
            }
        }
        number
    }

    /// Returns the number of an item, if it is stored. An item is stored `at_once`, or otherwise when it occurs the
    /// second time.
    fn number(&mut self, item: &[u8], at_once: bool) -> Option<u32> {
        if item.len() > *LENGTHS.end() || !at_once && item.len() < *LENGTHS.start() {
            return None;
        }
        let hashed = hash(item);
        if let Some(number) = self.table.find(hashed, |number| self.item(*number) == item) {
            return Some(*number);
        }
        if !at_once {
            if self.once.is_empty() {
                zeros(&mut self.once, PLACES, "").ok()?;
            }
            let part = (hashed >> 32) as u32;
            if std::mem::replace(&mut self.once[hashed as usize % PLACES], part) != part {
                return None;
            }
        }
        self.keep(item, hashed)
    }

    fn keep(&mut self, item: &[u8], hashed: u64) -> Option<u32> {
        if self.bytes.len() + item.len() > MOST_BYTES {
            return None;
        }
        reserve(&mut self.bytes, item.len(), "").ok()?;
        reserve(&mut self.ends, 1, "").ok()?;
        let Self { bytes, ends, table, .. } = self;
        let hasher: Hasher<'_> = &|number| hash(item_of(bytes, ends, *number));
        table.try_reserve(1, hasher).ok()?;
        let number = ends.len() as u32;
        append(bytes, item);
        ends.push(bytes.len() as u32);
        let hasher: Hasher<'_> = &|number| hash(item_of(bytes, ends, *number));
        table.insert_unique(hashed, number, hasher);
        Some(number)
    }

    fn item(&self, number: u32) -> &[u8] {
        item_of(&self.bytes, &self.ends, number)
    }

    /// Returns the bytes of memory that the table takes.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + (self.ends.capacity() + self.once.capacity()) * 4 + self.table.allocation_size()
    }
}

fn item_of<'a>(bytes: &'a [u8], ends: &[u32], number: u32) -> &'a [u8] {
    let end = |number: usize| ends.get(number).map_or(0, |end| *end as usize);
    let start = if number == 0 { 0 } else { end(number as usize - 1) };
    bytes.get(start..end(number as usize)).unwrap_or_default()
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Packs a value: its variant, then a text, a list as in the log, a float, or as many bytes of an integer as it needs.
/// `out` has room for it.
pub fn put_value(out: &mut Vec<u8>, variant: u8, bytes: &[u8]) {
    let (tag, bytes) = match variant {
        2 | 6 => {
            let int = int(bytes);
            // The highest bit that is kept is the sign.
            let same = (int ^ int >> 63).leading_zeros();
            (variant, &bytes[..((72 - same as usize) / 8).min(bytes.len())])
        }
        3 => (if bytes == [0] { 3 } else { TRUE }, &[][..]),
        _ => (variant, bytes),
    };
    out.push(tag);
    append(out, bytes);
}

fn int(bytes: &[u8]) -> i64 {
    let sign = bytes.last().map_or(0, |last| i64::from(*last as i8 >> 7));
    bytes.iter().rev().fold(sign, |int, byte| int << 8 | i64::from(*byte))
}

fn text(bytes: &[u8]) -> &str {
    // Only a `&str` is ever packed as a text.
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Reads a packed value.
pub fn value(packed: &[u8]) -> ValueRef<'_> {
    let Some((tag, bytes)) = packed.split_first() else { return ValueRef::Null };
    match *tag {
        1 => ValueRef::Str(text(bytes)),
        2 => ValueRef::Int(int(bytes)),
        3 => ValueRef::Bool(false),
        TRUE => ValueRef::Bool(true),
        LIST => ValueRef::List(bytes),
        5 => ValueRef::Float(f64::from_bits(int(bytes) as u64)),
        6 => ValueRef::DateTime(int(bytes)),
        _ => ValueRef::Null,
    }
}

/// The attributes of a document, with ascending keys.
#[derive(Clone, Copy)]
pub struct Packed<'a> {
    bytes: &'a [u8],
    interner: &'a Interner,
}

impl<'a> Packed<'a> {
    /// Reads packed attributes with the table that they were packed with.
    pub fn new(bytes: &'a [u8], interner: &'a Interner) -> Self {
        Self { bytes, interner }
    }

    fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        while let Some((byte, rest)) = self.bytes.split_first() {
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if *byte < 0x80 || shift > 56 {
                break;
            }
        }
        number
    }

    fn item(&mut self) -> &'a [u8] {
        let number = self.number();
        if number & 1 == 0 {
            return self.interner.item((number >> 1) as u32);
        }
        let (item, rest) = self.bytes.split_at_checked((number >> 1) as usize).unwrap_or_default();
        self.bytes = rest;
        item
    }

    /// Returns the packed value under a key. Equal values have equal bytes.
    pub fn get(mut self, key: &str) -> Option<&'a [u8]> {
        while !self.bytes.is_empty() {
            let at = self.item();
            let value = self.item();
            if at >= key.as_bytes() {
                return (at == key.as_bytes()).then_some(value);
            }
        }
        None
    }

    /// Returns whether both have the same texts and lists of texts under the same keys.
    #[inline(never)] // scripts/split.mjs moves it to nidus-rest.wasm.
    pub fn has_texts_of(self, other: Packed<'_>) -> bool {
        let is_text = |(_, value): &(&[u8], &[u8])| matches!(value.first(), Some(&(TEXT | LIST)));
        self.filter(is_text).eq(other.filter(is_text))
    }

    /// Writes the attributes behind `out`, as the log has them.
    pub fn write(self, out: &mut Vec<u8>) -> Result<()> {
        self.write_chosen(&|_| true, out)
    }

    /// Writes the attributes whose keys are `chosen`, as [`write`](Self::write) does.
    pub fn write_chosen(self, chosen: &dyn Fn(&[u8]) -> bool, out: &mut Vec<u8>) -> Result<()> {
        let (start, mut count) = (out.len(), 0u64);
        reserve(out, 8, "attributes")?;
        out.extend_from_slice(&[0; 8]);
        for (key, packed) in self {
            let Some((tag, bytes)) = packed.split_first() else { continue };
            if !chosen(key) {
                continue;
            }
            count += 1;
            // Besides its own bytes, an attribute of any kind takes at most 20.
            reserve(out, key.len() + packed.len() + 20, "attributes")?;
            op::put_str(out, text(key));
            let variant = if *tag == TRUE { 3 } else { u32::from(*tag) };
            out.extend_from_slice(&variant.to_le_bytes());
            match variant {
                1 => op::put_str(out, text(bytes)),
                2 | 6 => out.extend_from_slice(&int(bytes).to_le_bytes()),
                3 => out.push(u8::from(*tag == TRUE)),
                _ => out.extend_from_slice(bytes),
            }
        }
        if let Some(place) = out.get_mut(start..start + 8) {
            place.copy_from_slice(&count.to_le_bytes());
        }
        Ok(())
    }

    /// Returns the attributes as a map. Fails with `OUT_OF_MEMORY`.
    pub fn to_map(self) -> Result<BTreeMap<String, Value>> {
        self.into_iter().map(|(key, packed)| Ok((text(key).to_string(), value(packed).to_value()?))).collect()
    }
}

/// Iterates over keys and packed values.
impl<'a> Iterator for Packed<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        (!self.bytes.is_empty()).then(|| (self.item(), self.item()))
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
