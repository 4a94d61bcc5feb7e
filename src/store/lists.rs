//! Refuses filters that look for one of several texts (`$in`, `$nin`) in an attribute that is a list in some document.

use std::rc::Rc;

use super::Store;
use super::index::DEAD;
use crate::attrs::{Packed, value};
use crate::error::fail;
use crate::search::{Bound, Filter};
use crate::segment::op::ValueRef;
use crate::{Result, Value};

impl Store {
    /// Fails with `INVALID_ARGUMENT` if the filter looks for one of several texts under a key, and a document of the
    /// collections `in_scope` has a list under that key. It fails even if the document does not match the rest of the
    /// filter, and even if the answer does not depend on it. So the way in which a call is evaluated does not decide
    /// whether it fails.
    pub(super) fn check_lists(&self, filter: &Filter, in_scope: &dyn Fn(u32) -> bool) -> Result<()> {
        filter.keys_without_lists(&mut |key| {
            if !self.index.arena.may_have_list(key) {
                return Ok(());
            }
            // This matches exactly the lists. Every list is at least the empty one, and other values cannot be compared
            // with a list.
            let lists = Rc::new(Filter::Compare(key.to_string(), Bound::GreaterOrEqual, Value::List(Vec::new())));
            let attrs = |row| Some(self.index.owner(row)).filter(|doc| *doc != DEAD).map(|doc| self.index.attrs(doc));
            let rows = self.index.rows();
            let known = self.quick.columns_mut().matches(&lists, None, rows, &|| true, &attrs);
            for row in 0..rows {
                let doc = self.index.owner(row);
                if known.as_ref().is_none_or(|known| known.contains(row))
                    && doc != DEAD
                    && in_scope(self.index.doc(doc).collection)
                {
                    refuse_list(key, self.index.attrs(doc))?;
                }
            }
            Ok(())
        })
    }
}

/// Fails if these attributes have a list under the key.
fn refuse_list(key: &str, attrs: Packed<'_>) -> Result<()> {
    if matches!(attrs.get(key).map(value), Some(ValueRef::List(_))) {
        fail!(
            InvalidArgument,
            "the filter's \"{key}\": $in and $nin compare whole values, but a record has a list there: use $containsAny"
        );
    }
    Ok(())
}

/// Fails if these attributes have a list under a key where the filter looks for one of several texts.
pub(super) fn refuse_lists(filter: &Filter, attrs: Packed<'_>) -> Result<()> {
    filter.keys_without_lists(&mut |key| refuse_list(key, attrs))
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::sink::MemorySink;
    use crate::{Batch, Code, OpenOptions, Query, code_of};

    const NAMES: [&str; 3] = ["a", "b", "c"];

    #[derive(Clone, Debug)]
    enum Step {
        /// The collection, the id, and whether the keys `k` and `l` have texts or lists.
        Upsert(usize, u8, bool, bool),
        Update(usize, u8, bool),
        Delete(usize, u8),
        /// Deletes by a filter, after an upsert that is staged and not yet applied.
        DeleteWhere(usize, u8, bool),
        Reopen,
        Compact,
    }

    fn step() -> impl Strategy<Value = Step> {
        let (name, id) = (0usize..3, 0u8..80);
        let seldom = || prop::bool::weighted(0.03);
        prop_oneof![
            20 => (name.clone(), id.clone(), seldom(), any::<bool>()).prop_map(|(c, n, k, l)| Step::Upsert(c, n, k, l)),
            6 => (name.clone(), id.clone(), seldom()).prop_map(|(c, n, k)| Step::Update(c, n, k)),
            6 => (name.clone(), id.clone()).prop_map(|(c, n)| Step::Delete(c, n)),
            2 => (name, id, seldom()).prop_map(|(c, n, k)| Step::DeleteWhere(c, n, k)),
            1 => Just(Step::Reopen),
            1 => Just(Step::Compact),
        ]
    }

    fn value(list: bool) -> Value {
        if list { Value::List(vec!["x".into()]) } else { "x".into() }
    }

    /// For each collection and id: whether the document has a list under `k`.
    type Lists = BTreeMap<(usize, u8), bool>;

    fn refused<T: std::fmt::Debug>(outcome: Result<T>, expected: bool, what: &str) {
        let error = outcome.err();
        assert_eq!(error.as_ref().map(code_of), expected.then_some(Code::InvalidArgument), "{what}");
        if let Some(error) = error {
            let text = error.to_string();
            assert!(text.contains("\"k\"") && text.contains("$containsAny"), "{text}");
        }
    }

    fn texts() -> Vec<Value> {
        vec!["y".into(), 5.into()]
    }

    fn check(store: &Store, lists: &Lists) {
        let wants = Filter::In("k".into(), texts());
        // The check looks at every part of a filter, even at a part that cannot change the answer.
        let inside = Filter::And(vec![Filter::Or(vec![]), Filter::Not(Box::new(wants.clone()))]);
        let never = [
            Filter::Or(texts().into_iter().map(|text| Filter::Eq("k".into(), text)).collect()),
            Filter::In("k".into(), vec!["y".into(), value(true)]),
            Filter::In("k".into(), vec![5.into(), Value::Null]),
            Filter::In("k".into(), vec![]),
            Filter::In("m".into(), texts()),
            Filter::ContainsAny("k".into(), vec!["y".into()]),
        ];
        for scope in [None, Some(vec![0]), Some(vec![1, 2]), Some(vec![])] {
            let names: Option<Vec<&str>> = scope.as_ref().map(|scope| scope.iter().map(|n| NAMES[*n]).collect());
            let has = |c: &usize| lists.iter().any(|((name, _), list)| name == c && *list);
            let expected = scope.clone().unwrap_or_else(|| vec![0, 1, 2]).iter().any(has);
            let search = |filter: &Filter, top_k| {
                store.search(
                    &[1.0],
                    &Query { collections: names.as_deref(), top_k, filter: filter.clone(), ..Query::default() },
                )
            };
            for filter in [&wants, &inside] {
                refused(search(filter, 3), expected, "search");
                refused(search(filter, 0), expected, "search for nothing");
            }
            never.iter().for_each(|filter| refused(search(filter, 3), false, "search"));
        }
        for (c, name) in NAMES.iter().enumerate() {
            let expected = lists.iter().any(|((of, _), list)| *of == c && *list);
            for filter in [&wants, &inside] {
                refused(store.count(Some(name), filter), expected, "count");
                refused(store.records(name, filter, Some("9"), 1), expected, "records");
            }
            for filter in &never {
                refused(store.count(Some(name), filter), false, "count");
                refused(store.records(name, filter, None, 1), false, "records");
            }
        }
        refused(store.count(None, &wants), lists.values().any(|list| *list), "count of all");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: crate::few_or(40, 600),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn texts_where_a_document_has_a_list_are_refused(steps in prop::collection::vec(step(), 1..260)) {
            let create = |sinks: &[MemorySink; 2]| {
                let options = OpenOptions { dimension: Some(1), ..OpenOptions::default() };
                Store::create(sinks[0].clone(), sinks[1].clone(), options).unwrap()
            };
            let mut sinks = [MemorySink::new(), MemorySink::new()];
            let (mut store, mut lists) = (create(&sinks), Lists::new());
            let upsert = |store: &mut Store, c: usize, n: u8, k: bool, l: bool| {
                let mut batch = Batch::new();
                batch.push(&n.to_string(), &[("k", value(k)), ("l", value(l))]);
                store.stage_upsert(NAMES[c], 1, batch.bytes(), &[1.0]).unwrap();
            };
            for (at, step) in steps.iter().enumerate() {
                match *step {
                    Step::Upsert(c, n, k, l) => {
                        upsert(&mut store, c, n, k, l);
                        lists.insert((c, n), k);
                    }
                    Step::Update(c, n, k) => {
                        let mut batch = Batch::new();
                        batch.push_changes(&n.to_string(), &[("k", Some(value(k)))]);
                        let staged = store.stage_update(NAMES[c], 1, batch.bytes());
                        prop_assert_eq!(staged.is_ok(), lists.contains_key(&(c, n)));
                        lists.entry((c, n)).and_modify(|list| *list = k);
                    }
                    Step::Delete(c, n) => {
                        store.stage_delete(NAMES[c], [Ok(n.to_string().as_str())].into_iter()).unwrap();
                        lists.remove(&(c, n));
                    }
                    Step::DeleteWhere(c, n, k) => {
                        upsert(&mut store, c, n, k, false);
                        lists.insert((c, n), k);
                        let expected = lists.iter().any(|((of, _), list)| *of == c && *list);
                        let staged = store.stage_delete_where(NAMES[c], &Filter::In("k".into(), texts()));
                        prop_assert!(expected || *staged.as_ref().unwrap() == 0);
                        refused(staged, expected, "deleteWhere");
                    }
                    Step::Reopen => {
                        store.commit().unwrap();
                        store = Store::open(sinks[0].clone(), sinks[1].clone(), OpenOptions::default()).unwrap();
                    }
                    Step::Compact => {
                        store.commit().unwrap();
                        sinks = [MemorySink::new(), MemorySink::new()];
                        let [data, log] = sinks.clone();
                        store.compact_into(Box::new(data), Box::new(log)).unwrap();
                    }
                }
                store.commit().unwrap();
                if at % 7 == 0 || at + 1 == steps.len() {
                    check(&store, &lists);
                }
            }
        }
    }
}
