//! Which rows match a filter. A filter is evaluated once for each distinct value of a key, and the matches are kept.
//! They stay true as rows are added. An update of a row's attributes changes them for that row. Whether a row is alive
//! or in scope is not decided here.

use std::rc::Rc;

use super::codes::kernel::GROUP;
use super::column::Column;
use super::{Bits, Filter};
use crate::attrs::Packed;
use crate::error::{reserve, zeros};

/// The memory of all columns together. If it is full, filters are evaluated later, row by row.
const MOST_BYTES: usize = 64 << 20;
const MOST_COLUMNS: usize = 8;
const MOST_KEPT: usize = 12;
/// Filters that take more bytes than this are not kept.
const MOST_FILTER: usize = 1 << 16;
/// If a filter takes longer than this for a row, in estimated nanoseconds, its matches are forgotten when a row
/// changes.
const MOST_AGAIN: usize = 256;

/// Returns the attributes of a row, or None for a dead row.
pub type AttrsOf<'a> = &'a dyn Fn(usize) -> Option<Packed<'a>>;

#[derive(Default)]
pub struct Columns {
    /// In this list and the next, what was used last comes last.
    columns: Vec<Column>,
    kept: Vec<Kept>,
    /// Counts how often rows have moved or got other attributes.
    pub changes: u32,
}

/// A filter that was seen, and which of the first `rows` rows match it, once that was found out.
struct Kept {
    filter: Rc<Filter>,
    /// If set, only the rows of this collection were looked at.
    scope: Option<u32>,
    rows: usize,
    bits: Option<Rc<Bits>>,
}

impl Columns {
    /// Forgets everything, because rows have moved.
    pub fn clear(&mut self) {
        *self = Self { changes: self.changes.wrapping_add(1), ..Self::default() };
    }

    /// Takes the new attributes of a row. The matches of kept filters are corrected for this row, or forgotten if the
    /// filter is slow. Columns are dropped, and made again when they are needed: they only help filters that were not
    /// seen yet.
    pub fn changed(&mut self, row: usize, attrs: Packed<'_>) {
        self.changes = self.changes.wrapping_add(1);
        self.columns.clear();
        for kept in self.kept.iter_mut().filter(|kept| row < kept.rows) {
            let quick = kept.filter.work(true) <= MOST_AGAIN;
            match kept.bits.as_mut().and_then(Rc::get_mut).filter(|_| quick) {
                Some(bits) => bits.set(row, kept.filter.matches(attrs)),
                None => (kept.bits, kept.rows) = (None, 0),
            }
        }
    }

    /// Returns which of the first `rows` rows match. Dead rows may be among them. Returns None if it is not known:
    /// memory was short, or the filter is new and `now` says that it is not worth the work.
    #[inline(never)] // scripts/split.mjs moves it to nidus-rest.wasm.
    pub fn matches(
        &mut self,
        filter: &Rc<Filter>,
        scope: Option<u32>,
        rows: usize,
        now: &dyn Fn() -> bool,
        attrs: AttrsOf<'_>,
    ) -> Option<Rc<Bits>> {
        let mut kept = match self.place(filter, scope) {
            Some(at) => self.kept.remove(at),
            None if filter.size() > MOST_FILTER => {
                return if now() { self.evaluate(filter, rows, attrs).map(Rc::new) } else { None };
            }
            None => {
                let kept = Kept { filter: filter.clone(), scope: None, rows: 0, bits: None };
                if !now() {
                    self.keep(kept);
                    return None;
                }
                kept
            }
        };
        let more = rows.wrapping_sub(kept.rows);
        if more != 0 || kept.bits.is_none() {
            kept.bits = match kept.bits.take().and_then(Rc::into_inner) {
                Some(mut bits) if more < rows / 8 => bits.grow(rows).ok().map(|()| {
                    (kept.rows..rows)
                        .filter(|row| attrs(*row).is_some_and(|attrs| filter.matches(attrs)))
                        .for_each(|row| bits.insert(row));
                    bits
                }),
                _ => self.evaluate(filter, rows, attrs),
            }
            .map(Rc::new);
            kept.rows = rows;
        }
        let bits = kept.bits.clone();
        self.keep(kept);
        bits
    }

    fn place(&self, filter: &Filter, scope: Option<u32>) -> Option<usize> {
        self.kept.iter().position(|kept| *kept.filter == *filter && (kept.scope.is_none() || kept.scope == scope))
    }

    /// Returns which rows match, as far as it is known, and how many rows were looked at. The rows are those of one
    /// collection, or all of them (None).
    pub fn known(&self, filter: &Filter, scope: Option<u32>) -> Option<(Rc<Bits>, usize)> {
        let kept = &self.kept[self.place(filter, scope)?];
        Some((kept.bits.clone()?, kept.rows))
    }

    /// Keeps the matches of a filter that was evaluated elsewhere. Of large filters only the last one is kept.
    pub fn found_out(&mut self, filter: Rc<Filter>, scope: Option<u32>, rows: usize, bits: Bits) {
        self.kept.retain(|kept| kept.filter.size() <= MOST_FILTER && (kept.filter != filter || kept.scope != scope));
        self.keep(Kept { filter, scope, rows, bits: Some(Rc::new(bits)) });
    }

    fn keep(&mut self, kept: Kept) {
        if self.kept.len() == MOST_KEPT {
            self.kept.remove(0);
        }
        if reserve(&mut self.kept, 1, "").is_ok() {
            self.kept.push(kept);
        }
    }

    fn evaluate(&mut self, filter: &Filter, rows: usize, attrs: AttrsOf<'_>) -> Option<Bits> {
        let mut groups = self.groups(filter, rows, attrs)?;
        if !rows.is_multiple_of(GROUP)
            && let Some(last) = groups.last_mut()
        {
            *last &= (1 << (rows % GROUP)) - 1;
        }
        let ones = groups.iter().map(|group| group.count_ones() as usize).sum();
        Some(Bits { groups, ones })
    }

    /// Returns which rows match, sixteen rows in a number. Bits after the last row mean nothing.
    fn groups(&mut self, filter: &Filter, rows: usize, attrs: AttrsOf<'_>) -> Option<Vec<u16>> {
        let mut groups = Vec::new();
        let parts = match filter {
            Filter::And(parts) | Filter::Or(parts) => parts,
            Filter::Not(part) => {
                groups = self.groups(part, rows, attrs)?;
                groups.iter_mut().for_each(|group| *group = !*group);
                return Some(groups);
            }
            _ => return self.leaf(filter, rows, attrs),
        };
        zeros(&mut groups, rows.div_ceil(GROUP), "").ok()?;
        // An And is computed as an Or of the rows that do not match, and then inverted.
        let turned = if matches!(filter, Filter::And(_)) { u16::MAX } else { 0 };
        for part in parts {
            let part = self.groups(part, rows, attrs)?;
            groups.iter_mut().zip(part).for_each(|(group, part)| *group |= part ^ turned);
        }
        groups.iter_mut().for_each(|group| *group ^= turned);
        Some(groups)
    }

    fn leaf(&mut self, filter: &Filter, rows: usize, attrs: AttrsOf<'_>) -> Option<Vec<u16>> {
        let key = filter.key();
        let mut column = match self.columns.iter().position(|column| column.key == key) {
            Some(at) => self.columns.remove(at),
            None => Column::new(key.to_string(), false),
        };
        if self.columns.len() == MOST_COLUMNS {
            self.columns.remove(0);
        }
        let mut extended =
            column.extend(rows, MOST_BYTES.saturating_sub(self.columns.iter().map(Column::bytes).sum()), attrs);
        if extended.is_none() && !self.columns.is_empty() && !column.failed {
            self.columns.clear();
            extended = column.extend(rows, MOST_BYTES, attrs);
        }
        if extended.is_none() && !column.failed {
            column = Column::new(column.key, true);
        }
        let groups = extended.and_then(|()| column.select(filter, rows));
        reserve(&mut self.columns, 1, "").ok()?;
        self.columns.push(column);
        groups
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub fn memory_bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum()
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::attrs::Interner;
    use crate::search::filter::Bound;
    use crate::{Batch, Value};
    use proptest::prelude::*;

    fn packed(interner: &mut Interner, attrs: &[(&str, Value)]) -> Vec<u8> {
        let (mut batch, mut packed) = (Batch::new(), Vec::new());
        batch.push("", attrs);
        interner.pack(&batch.bytes()[8..], &mut packed).unwrap();
        packed
    }

    fn values() -> impl Strategy<Value = Value> {
        let big = 1i64 << 53;
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (-3i64..4).prop_map(Value::Int),
            prop::sample::select(vec![big - 1, big, big + 1, big + 2, -big, -big - 1, i64::MAX, i64::MIN])
                .prop_map(Value::Int),
            prop::sample::select(vec![
                -0.0,
                0.0,
                0.5,
                1.0,
                -2.0,
                big as f64,
                big as f64 + 2.0,
                -(big as f64),
                2f64.powi(63),
                -(2f64.powi(63)),
                f64::NAN,
                -f64::NAN,
                f64::INFINITY
            ])
            .prop_map(Value::Float),
            (-2i64..3).prop_map(Value::DateTime),
            "[abA/]{0,3}".prop_map(Value::Str),
            prop::collection::vec("[ab]{0,2}", 0..3).prop_map(Value::List),
        ]
    }

    fn filters() -> impl Strategy<Value = Filter> {
        let key = || "[k-m]".prop_map(String::from);
        let bound = prop::sample::select(vec![Bound::Greater, Bound::GreaterOrEqual, Bound::Less, Bound::LessOrEqual]);
        let leaf = prop_oneof![
            (key(), values()).prop_map(|(key, value)| Filter::Eq(key, value)),
            (key(), prop::collection::vec(values(), 0..4)).prop_map(|(key, values)| Filter::In(key, values)),
            (key(), bound, values()).prop_map(|(key, bound, value)| Filter::Compare(key, bound, value)),
            (key(), "[*]?[ab/?]{0,3}[*]?").prop_map(|(key, pattern)| Filter::Glob(key, pattern)),
            (key(), "[*]?[abAB?]{0,3}[*]?").prop_map(|(key, pattern)| Filter::IGlob(key, pattern)),
            (key(), "[ab]{0,2}").prop_map(|(key, element)| Filter::Contains(key, element)),
            (key(), "[abAB]{0,2}").prop_map(|(key, part)| Filter::IContains(key, part)),
            (key(), "[ab/]{0,2}").prop_map(|(key, part)| Filter::StartsWith(key, part)),
            (key(), prop::collection::vec("[ab]{0,2}", 0..3)).prop_map(|(key, of)| Filter::ContainsAny(key, of)),
            (key(), prop::collection::vec("[ab]{0,2}", 0..3)).prop_map(|(key, of)| Filter::ContainsAll(key, of)),
            key().prop_map(Filter::Exists),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Filter::And),
                prop::collection::vec(inner.clone(), 0..3).prop_map(Filter::Or),
                inner.prop_map(|part| Filter::Not(Box::new(part))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: crate::few_or(150, 500),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// The matches of filters are compared with a check of each row: while rows are added, while known and new
        /// filters are asked for, and after rows have moved.
        #[test]
        fn as_each_row_by_itself(
            rows in
                prop::collection::vec((any::<bool>(), prop::collection::btree_map("[k-m]", values(), 0..4)), 1..150),
            filters in prop::collection::vec(filters().prop_map(Rc::new), 1..16),
            steps in prop::collection::vec((0usize..20, 0usize..16, 0u8..12, any::<bool>()), 1..40),
        ) {
            let mut interner = Interner::default();
            let mut encoded: Vec<Option<Vec<u8>>> = rows
                .iter()
                .map(|(dead, attrs)| {
                    let attrs: Vec<(&str, Value)> =
                        attrs.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
                    (!dead || attrs.len() % 2 == 0).then(|| packed(&mut interner, &attrs))
                })
                .collect();
            let (mut columns, mut count) = (Columns::default(), rows.len() / 2);
            for (more, filter, event, now) in steps {
                count = (count + more).min(encoded.len());
                if event == 0 {
                    encoded.reverse();
                    columns.clear();
                }
                // Some rows get the attributes of others.
                for row in (0..encoded.len()).skip(filter).step_by(13).filter(|_| event % 3 == 1) {
                    if let (Some(_), Some(Some(other))) = (&encoded[row], encoded.get(row + more)) {
                        encoded[row] = Some(other.clone());
                        columns.changed(row, Packed::new(encoded[row].as_deref().unwrap(), &interner));
                    }
                }
                let filter = &filters[filter % filters.len()];
                let seen = columns.kept.iter().any(|kept| kept.filter == *filter);
                let found = columns.matches(filter, None, count, &|| now, &|row| {
                    encoded[row].as_deref().map(|attrs| Packed::new(attrs, &interner))
                });
                prop_assert_eq!(found.is_some(), seen || now);
                let Some(found) = found else { continue };
                prop_assert_eq!(found.ones, found.rows(0).count());
                prop_assert!(found.rows(0).all(|row| row < count));
                for (row, attrs) in encoded[..count].iter().enumerate() {
                    if let Some(attrs) = attrs {
                        prop_assert_eq!(
                            found.contains(row),
                            filter.matches(Packed::new(attrs, &interner)),
                            "{:?}, row {} of {}",
                            filter,
                            row,
                            count
                        );
                    }
                }
            }
        }

        #[test]
        fn a_column_that_does_not_fit_says_so(
            room in 0usize..4000,
            texts in prop::collection::vec("[a-z]{0,80}", 1..60),
        ) {
            let mut interner = Interner::default();
            let encoded: Vec<Vec<u8>> =
                texts.iter().map(|text| packed(&mut interner, &[("k", Value::Str(text.clone()))])).collect();
            let mut column = Column::new("k".into(), false);
            let fits = column.extend(texts.len(), room, &|row| Some(Packed::new(&encoded[row], &interner))).is_some();
            prop_assert!(!fits || column.bytes() <= room + 4 * texts.len());
            prop_assert!(fits || column.bytes() + 80 + 12 + 256 > room);
            prop_assert_eq!(fits, column.ids.len() == texts.len());
        }
    }
}
