//! Compares globs and filters with a second implementation, and fuzzes the decoding of filters with any bytes.

use nidus_wasm::internals::{Interner, Packed, glob, glob_any_case, matches};
use nidus_wasm::search::{Bound, Filter};
use nidus_wasm::{Code, Value, code_of};

use super::codec::{self, Attrs};
use super::input::Input;
use super::memory;
use super::naive_filter;

const KEYS: [&str; 5] = ["", "a", "b", "key", "ü"];
const CHARACTERS: [char; 24] = [
    '*',
    '?',
    '[',
    ']',
    '!',
    '^',
    '-',
    'a',
    'b',
    'c',
    'é',
    '\u{1F600}',
    '*',
    '[',
    ']',
    '\0',
    'A',
    'B',
    'C',
    'É',
    'İ',
    'Σ',
    'ς',
    'ẞ',
];

fn key(input: &mut Input<'_>) -> String {
    KEYS[input.below(KEYS.len())].to_string()
}

/// Makes a text of few different characters, mostly those that have a meaning in a glob.
fn text(input: &mut Input<'_>) -> String {
    let len = input.below(12);
    input.bytes(len).iter().map(|byte| CHARACTERS[usize::from(byte % 24)]).collect()
}

/// Makes numbers that are near each other, both integers and floats.
fn number(input: &mut Input<'_>) -> Value {
    let base = [0, 5, -5, i64::MAX, i64::MIN, 1 << 53, -(1 << 53)][input.below(7)];
    let off = input.u8() as i8;
    match input.u8() % 6 {
        0 => Value::Float(base as f64 + f64::from(off) / 2.0),
        1 => Value::Float(
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 9_223_372_036_854_775_808.0, 5e-324]
                [usize::from(off as u8) % 6],
        ),
        2 => Value::Float(f64::from_bits(input.u64())),
        3 => Value::DateTime(base.saturating_add(off.into())),
        _ => Value::Int(base.saturating_add(off.into())),
    }
}

fn value(input: &mut Input<'_>) -> Value {
    match input.u8() % 8 {
        0 => Value::Null,
        1 => Value::Bool(input.u8() & 1 == 1),
        2 => Value::List((0..input.below(4)).map(|_| text(input)).collect()),
        3 | 4 => Value::Str(text(input)),
        _ => number(input),
    }
}

fn filter(input: &mut Input<'_>, depth: usize) -> Filter {
    let parts = |input: &mut Input<'_>| {
        (0..if depth < 5 { input.below(4) } else { 0 }).map(|_| filter(input, depth + 1)).collect()
    };
    match input.u8() % 19 {
        0 => Filter::And(parts(input)),
        1 => Filter::Or(parts(input)),
        2 if depth < 5 => Filter::Not(Box::new(filter(input, depth + 1))),
        3 => Filter::In(key(input), (0..input.below(4)).map(|_| value(input)).collect()),
        4 => Filter::Glob(key(input), text(input)),
        5 => Filter::Contains(key(input), text(input)),
        6 => Filter::Exists(key(input)),
        12 => Filter::IGlob(key(input), text(input)),
        13 => Filter::StartsWith(key(input), text(input)),
        14 | 15 => Filter::IContains(key(input), text(input)),
        16 => Filter::ContainsAny(key(input), (0..input.below(4)).map(|_| text(input)).collect()),
        17 => Filter::ContainsAll(key(input), (0..input.below(4)).map(|_| text(input)).collect()),
        7 | 18 => Filter::Eq(key(input), value(input)),
        n => Filter::Compare(
            key(input),
            [Bound::Greater, Bound::GreaterOrEqual, Bound::Less, Bound::LessOrEqual][usize::from(n) % 4],
            value(input),
        ),
    }
}

fn attrs(input: &mut Input<'_>) -> Attrs {
    (0..input.below(6)).map(|_| (key(input), value(input))).collect()
}

fn any_glob(input: &mut Input<'_>, raw: bool) {
    let (pattern, text) = if raw {
        let len = usize::from(input.u8());
        let pattern = String::from_utf8_lossy(input.bytes(len)).into_owned();
        (pattern, String::from_utf8_lossy(input.rest()).into_owned())
    } else {
        let mut all = |n: u8| (0..n).map(|_| text(input)).collect::<String>();
        (all(3), all(2))
    };
    assert_eq!(glob(&pattern, &text), naive_filter::glob(&pattern, &text), "{pattern:?} {text:?}");
    let any_case = naive_filter::glob(&naive_filter::lower(&pattern), &naive_filter::lower(&text));
    assert_eq!(glob_any_case(&pattern, &text), any_case, "{pattern:?} {text:?}");
}

/// Decodes a filter from any bytes. It is refused with `INVALID_ARGUMENT`, or writing it gives the same bytes again.
fn any_filter(bytes: &[u8], attrs: &Attrs) {
    match memory::within(bytes.len(), 16 << 10, 80, || Filter::decode(bytes)) {
        Err(error) => {
            let code = code_of(&error);
            drop(error);
            assert_eq!(code, Code::InvalidArgument);
        }
        Ok(filter) => {
            let mut again = Vec::new();
            naive_filter::encode(&filter, &mut again);
            assert!(bytes.is_empty() || again == bytes, "{filter:?}");
            let (mut interner, mut packed) = (Interner::default(), Vec::new());
            interner.pack(&codec::canonical(attrs), &mut packed).unwrap();
            assert_eq!(
                matches(&filter, Packed::new(&packed, &interner)),
                naive_filter::matches(&filter, attrs),
                "{filter:?} {attrs:?}"
            );
            // These bytes are no attributes, but matching them must do no harm.
            matches(&filter, Packed::new(bytes, &interner));
        }
    }
}

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.u8() % 5 {
        n @ (0 | 1) => any_glob(&mut input, n == 0),
        2 => {
            let attrs = attrs(&mut input);
            any_filter(input.rest(), &attrs);
        }
        3 => {
            // The filter is nested `depth` times, but at most 300 times.
            let (depth, attrs) = (usize::from(input.u8()) * 4, attrs(&mut input));
            let mut nested = Vec::new();
            for _ in 0..depth.min(300) {
                let (kind, parts) = (input.u8(), input.u8() % 32 + 1);
                nested.extend([&[2][..], &[0, 1, 0, 0, 0], &[1, parts, 0, 0, 0]][usize::from(kind) % 3]);
            }
            nested.extend(input.rest());
            any_filter(&nested, &attrs);
        }
        _ => {
            let (attrs, filter) = (attrs(&mut input), filter(&mut input, 0));
            let mut wire = Vec::new();
            naive_filter::encode(&filter, &mut wire);
            assert!(Filter::decode(&wire).is_ok());
            any_filter(&wire, &attrs);
        }
    }
}
