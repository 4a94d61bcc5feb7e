//! Reads the form in which filters come from TypeScript.

use super::limits::{MAX_BYTES, MAX_DEPTH};
use super::{Bound, Filter};
use crate::error::{error, fail, reserve};
use crate::segment::op::{Bad, Reader};
use crate::{Code, Result, Value};

impl Filter {
    /// Reads the prefix form that the TypeScript wrapper writes: a tag byte, then its parts. No bytes mean no filter.
    pub fn decode(bytes: &[u8]) -> Result<Filter> {
        if bytes.is_empty() {
            return Ok(Filter::default());
        }
        Self::decode_expression(bytes)
    }

    #[inline(never)] // scripts/split.mjs moves it to nidus-rest.wasm.
    fn decode_expression(bytes: &[u8]) -> Result<Filter> {
        if bytes.len() > MAX_BYTES {
            fail!(InvalidArgument, "the filter takes {} bytes, more than {MAX_BYTES}", bytes.len());
        }
        let mut reader = Reader::new(bytes);
        let filter = expression(&mut reader, 0)?;
        filter.check()?;
        if reader.left() > 0 {
            fail!(InvalidArgument, "{} bytes too many behind the filter", reader.left());
        }
        Ok(filter)
    }
}

fn malformed(_: Bad) -> crate::Error {
    error(Code::InvalidArgument, "the filter's encoding is malformed")
}

fn expression(reader: &mut Reader<'_>, depth: usize) -> Result<Filter> {
    if depth > MAX_DEPTH {
        fail!(InvalidArgument, "the filter is nested deeper than {MAX_DEPTH}");
    }
    let tag = reader.u8().map_err(malformed)?;
    match tag {
        0 | 1 => {
            let parts = many(reader, |reader| expression(reader, depth + 1))?;
            return Ok(if tag == 0 { Filter::And(parts) } else { Filter::Or(parts) });
        }
        2 => return Ok(Filter::Not(Box::new(expression(reader, depth + 1)?))),
        _ => {}
    }
    let key = text(reader)?;
    Ok(match tag {
        3 => Filter::Eq(key, value(reader)?),
        4 => Filter::In(key, many(reader, value)?),
        5 => {
            let bound = match reader.u8().map_err(malformed)? {
                0 => Bound::Greater,
                1 => Bound::GreaterOrEqual,
                2 => Bound::Less,
                3 => Bound::LessOrEqual,
                other => fail!(InvalidArgument, "the filter has an unknown comparison ({other})"),
            };
            Filter::Compare(key, bound, value(reader)?)
        }
        6 | 7 | 9..=11 => {
            let text = text(reader)?;
            match tag {
                6 => Filter::Glob(key, text),
                7 => Filter::Contains(key, text),
                9 => Filter::IGlob(key, text),
                10 => Filter::StartsWith(key, text),
                _ => Filter::IContains(key, text),
            }
        }
        8 => Filter::Exists(key),
        12 | 13 => {
            let elements = many(reader, text)?;
            if tag == 12 { Filter::ContainsAny(key, elements) } else { Filter::ContainsAll(key, elements) }
        }
        _ => fail!(InvalidArgument, "the filter has an unknown operator ({tag})"),
    })
}

fn text(reader: &mut Reader<'_>) -> Result<String> {
    Ok(reader.str().map_err(malformed)?.to_string())
}

fn value(reader: &mut Reader<'_>) -> Result<Value> {
    reader.value().map_err(malformed)?.to_value()
}

fn many<T>(reader: &mut Reader<'_>, mut one: impl FnMut(&mut Reader<'_>) -> Result<T>) -> Result<Vec<T>> {
    let count = reader.u32().map_err(malformed)? as usize;
    if count > reader.left() {
        fail!(InvalidArgument, "the filter's encoding is cut short");
    }
    // Memory is taken as parts arrive. Nested counts that claim to be large could otherwise ask for many times the
    // input's size.
    let mut parts = Vec::new();
    for _ in 0..count {
        reserve(&mut parts, 1, "a filter")?;
        parts.push(one(reader)?);
    }
    Ok(parts)
}
