//! Reads the form in which filters come from TypeScript.

use super::limits::{MAX_BYTES, MAX_DEPTH};
use super::{Bound, Filter};
use crate::error::{error, fail, reserve};
use crate::segment::op::{Bad, Reader};
use crate::{Code, Result};

impl Filter {
    /// Reads the prefix form that the TypeScript wrapper writes: a tag byte, then its parts. No bytes mean no filter.
    pub fn decode(bytes: &[u8]) -> Result<Filter> {
        if bytes.is_empty() {
            return Ok(Filter::default());
        }
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
    let text = |reader: &mut Reader<'_>| Ok::<_, crate::Error>(reader.str().map_err(malformed)?.to_string());
    let value = |reader: &mut Reader<'_>| reader.value().map_err(malformed)?.to_value();
    Ok(match reader.u8().map_err(malformed)? {
        0 => Filter::And(many(reader, |reader| expression(reader, depth + 1))?),
        1 => Filter::Or(many(reader, |reader| expression(reader, depth + 1))?),
        2 => Filter::Not(Box::new(expression(reader, depth + 1)?)),
        3 => Filter::Eq(text(reader)?, value(reader)?),
        4 => Filter::In(text(reader)?, many(reader, value)?),
        5 => {
            let key = text(reader)?;
            let bound = match reader.u8().map_err(malformed)? {
                0 => Bound::Greater,
                1 => Bound::GreaterOrEqual,
                2 => Bound::Less,
                3 => Bound::LessOrEqual,
                other => fail!(InvalidArgument, "the filter has an unknown comparison ({other})"),
            };
            Filter::Compare(key, bound, value(reader)?)
        }
        6 => Filter::Glob(text(reader)?, text(reader)?),
        7 => Filter::Contains(text(reader)?, text(reader)?),
        8 => Filter::Exists(text(reader)?),
        9 => Filter::IGlob(text(reader)?, text(reader)?),
        10 => Filter::StartsWith(text(reader)?, text(reader)?),
        11 => Filter::IContains(text(reader)?, text(reader)?),
        12 => Filter::ContainsAny(text(reader)?, many(reader, text)?),
        13 => Filter::ContainsAll(text(reader)?, many(reader, text)?),
        14 => Filter::Among(text(reader)?, many(reader, value)?),
        other => fail!(InvalidArgument, "the filter has an unknown operator ({other})"),
    })
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
