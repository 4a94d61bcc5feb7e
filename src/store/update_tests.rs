//! Updates of attributes. Searches, counts and pages with filters, before and after updates, give the same as looking
//! at each record by itself.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;
use crate::attrs::{Interner, Packed};
use crate::search::Filter;
use crate::search::codes::Tuning;
use crate::segment::op;
use crate::sink::MemorySink;
use crate::{Batch, Code, Hit, Value, code_of};

type Attrs = BTreeMap<String, Value>;

#[derive(Clone, Debug)]
enum Step {
    Upsert(Vec<(usize, u8)>),
    Update(Vec<(usize, u8)>),
    Delete(usize),
    Ask(usize),
    /// Evaluates a filter in slices, with updates in between.
    Slowly(usize, Vec<(usize, u8)>),
    Compact,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let some = |most| prop::collection::vec((0usize..240, any::<u8>()), 1..most);
    prop_oneof![
        2 => some(12).prop_map(Step::Upsert),
        6 => some(6).prop_map(Step::Update),
        1 => (0usize..240).prop_map(Step::Delete),
        8 => (0usize..8).prop_map(Step::Ask),
        2 => ((0usize..8), some(4)).prop_map(|(filter, some)| Step::Slowly(filter, some)),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

fn filters() -> Vec<Filter> {
    let eq = |key: &str, n: i64| Filter::Eq(key.into(), Value::Int(n));
    vec![
        eq("z", 1),
        Filter::Not(Box::new(eq("z", 2))),
        Filter::Exists("gone".into()),
        Filter::And(vec![eq("z", 3), Filter::Not(Box::new(Filter::Exists("gone".into())))]),
        Filter::Glob("text".into(), "*a?b*[xy]*".into()),
        Filter::Or(vec![Filter::Glob("text".into(), "b*".into()), eq("rare", 7)]),
        Filter::IContains("text".into(), "A-Bx".into()),
        Filter::StartsWith("text".into(), "ba".into()),
    ]
}

fn value(key: &str, seed: u8) -> Value {
    match key {
        "text" => Value::Str(format!(
            "{}a-b{}",
            if seed.is_multiple_of(3) { "b" } else { "" },
            ["x", "y", "z"][seed as usize % 3]
        )),
        "rare" => Value::Int(i64::from(seed)),
        _ => Value::Int(i64::from(seed % 4)),
    }
}

fn changes(seed: u8) -> Vec<(&'static str, Option<Value>)> {
    let keys = ["z", "text", "gone", "rare"];
    keys.into_iter()
        .enumerate()
        .filter(|(n, _)| seed >> n & 1 == 1)
        .map(|(n, key)| (key, (seed >> (n + 4) & 1 == 0).then(|| value(key, seed))))
        .collect()
}

fn matches(filter: &Filter, attrs: &Attrs) -> bool {
    let (mut interner, mut bytes, mut packed) = (Interner::default(), Vec::new(), Vec::new());
    op::put_attrs(&mut bytes, attrs.iter().map(|(key, value)| (key.as_str(), value)), attrs.len());
    interner.pack(&bytes, &mut packed).unwrap();
    filter.matches(Packed::new(&packed, &interner))
}

struct World {
    sinks: [MemorySink; 2],
    store: Store,
    docs: HashMap<String, Attrs>,
    vectors: HashMap<String, Vec<u32>>,
}

impl World {
    fn new() -> Self {
        let sinks = [MemorySink::new(), MemorySink::new()];
        let options = OpenOptions { dimension: Some(2), ..OpenOptions::default() };
        let mut store = Store::create(sinks[0].clone(), sinks[1].clone(), options).unwrap();
        store.tune(Tuning { least_rows: 64, chunk: 64, ..Tuning::default() });
        let mut world = Self { sinks, store, docs: HashMap::new(), vectors: HashMap::new() };
        world.upsert(&(0..180).map(|n| (n, (n * 37) as u8)).collect::<Vec<_>>());
        world
    }

    fn upsert(&mut self, some: &[(usize, u8)]) {
        for (n, seed) in some {
            let id = n.to_string();
            let attrs: Attrs = ["z", "text"].into_iter().map(|key| (key.to_string(), value(key, *seed))).collect();
            let list: Vec<(&str, Value)> = attrs.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
            let mut batch = Batch::new();
            batch.push(&id, &list);
            self.store.stage_upsert("c", 1, batch.bytes(), &[f32::from(*seed) - 99.5, *n as f32]).unwrap();
            self.docs.insert(id, attrs);
        }
        self.store.commit().unwrap();
        for (n, _) in some {
            let id = n.to_string();
            let vector = self.store.get("c", &id).unwrap().unwrap().vector;
            self.vectors.insert(id, vector.iter().map(|x| x.to_bits()).collect());
        }
    }

    fn update(&mut self, some: &[(usize, u8)]) {
        let mut batch = Batch::new();
        some.iter().for_each(|(n, seed)| batch.push_changes(&n.to_string(), &changes(*seed)));
        let rows = self.store.footprint().rows;
        let staged = self.store.stage_update("c", some.len(), batch.bytes());
        if some.iter().any(|(n, _)| !self.docs.contains_key(&n.to_string())) {
            assert_eq!(code_of(&staged.unwrap_err()), Code::NotFound);
            assert_eq!(self.store.staged_bytes(), 0);
            return;
        }
        assert_eq!(staged.unwrap(), some.len());
        self.store.commit().unwrap();
        assert_eq!(self.store.footprint().rows, rows);
        for (n, seed) in some {
            let attrs = self.docs.get_mut(&n.to_string()).unwrap();
            for (key, value) in changes(*seed) {
                match value {
                    Some(value) => attrs.insert(key.to_string(), value),
                    None => attrs.remove(key),
                };
            }
        }
    }

    fn ask(&self, filter: &Filter) {
        let mut expected: Vec<&String> =
            self.docs.iter().filter(|(_, attrs)| matches(filter, attrs)).map(|(id, _)| id).collect();
        expected.sort();
        for collections in [None, Some(&["c"][..])] {
            let query = Query { collections, top_k: 1000, filter: filter.clone(), ..Query::default() };
            let mut found: Vec<Hit> = self.store.search(&[1.0, 0.5], &query).unwrap();
            found.sort_by(|a, b| a.id.cmp(&b.id));
            assert_eq!(found.iter().map(|hit| &hit.id).collect::<Vec<_>>(), expected, "{filter:?}");
            found.iter().for_each(|hit| assert_eq!(hit.attrs, self.docs[&hit.id]));
            assert_eq!(self.store.count(collections.map(|all| all[0]), filter).unwrap(), expected.len());
        }
        let page = self.store.records("c", filter, None, 1000).unwrap();
        assert_eq!(page.records.iter().map(|record| &record.id).collect::<Vec<_>>(), expected);
        for record in page.records {
            assert_eq!(record.vector.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), self.vectors[&record.id]);
        }
    }

    fn run(&mut self, step: &Step) {
        let filters = filters();
        match step {
            Step::Upsert(some) => self.upsert(some),
            Step::Update(some) => self.update(some),
            Step::Delete(n) => {
                self.store.stage_delete("c", [Ok(n.to_string().as_str())].into_iter()).unwrap();
                self.store.commit().unwrap();
                self.docs.remove(&n.to_string());
            }
            Step::Ask(n) => self.ask(&filters[*n]),
            Step::Slowly(n, some) => {
                let scope = (n % 2 == 0).then_some("c");
                let Some(mut matching) = self.store.begin_slow_matching(scope, filters[*n].clone(), 7).unwrap() else {
                    return self.ask(&filters[*n]);
                };
                for n in 0.. {
                    if self.store.match_step(&mut matching).unwrap() {
                        break;
                    }
                    match n % 5 {
                        0 => self.update(some),
                        3 => self.upsert(&[(200 + n % 40, n as u8)]),
                        _ => {}
                    }
                }
                self.ask(&filters[*n]);
            }
            Step::Compact => {
                self.sinks = [MemorySink::new(), MemorySink::new()];
                let [data, log] = self.sinks.clone();
                self.store.compact_into(Box::new(data), Box::new(log)).unwrap();
                assert_eq!(self.store.dead_ratio(), 0.0);
            }
            Step::Reopen => {
                let ratio = self.store.dead_ratio();
                let [data, log] = self.sinks.clone();
                self.store = Store::open(data, log, OpenOptions::default()).unwrap();
                assert_eq!(self.store.dead_ratio(), ratio);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: crate::few_or(60, 600),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn filters_see_the_newest_attributes(steps in prop::collection::vec(step(), 1..50)) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.run(step));
        filters().iter().for_each(|filter| world.ask(filter));
    }
}

#[test]
fn a_filter_that_is_evaluated_outlives_many_changes() {
    let mut world = World::new();
    let filter = filters().remove(0);
    let mut matching = world.store.begin_slow_matching(None, filter.clone(), 7).unwrap().unwrap();
    assert!(!world.store.match_step(&mut matching).unwrap());
    for _ in 0..400 {
        let mut batch = Batch::new();
        (0..180).for_each(|n| batch.push_changes(&n.to_string(), &[("z", Some(Value::Int(1)))]));
        world.store.stage_update("c", 180, batch.bytes()).unwrap();
        world.store.commit().unwrap();
    }
    world.docs.values_mut().for_each(|attrs| drop(attrs.insert("z".into(), Value::Int(1))));
    while !world.store.match_step(&mut matching).unwrap() {}
    world.ask(&filter);
}

#[test]
fn unknown_ids_are_named_and_nothing_changes() {
    let mut world = World::new();
    let mut batch = Batch::new();
    batch.push_changes("5", &[("z", None)]);
    (0..12).for_each(|n| batch.push_changes(&format!("no {n}"), &[("z", None)]));
    let error = world.store.stage_update("c", 13, batch.bytes()).unwrap_err();
    assert_eq!(code_of(&error), Code::NotFound);
    assert!(error.to_string().contains("\"no 0\" \"no 1\"") && error.to_string().contains("\"no 11\""), "{error}");
    assert_eq!(code_of(&world.store.stage_update("none", 13, batch.bytes()).unwrap_err()), Code::NotFound);
    assert_eq!(world.store.staged_bytes(), 0);
    assert!(!world.store.has_collection("none"));
    // An empty batch changes nothing, and makes no collection.
    assert_eq!(world.store.stage_update("none", 0, &[]).unwrap(), 0);
    assert_eq!(world.store.staged_bytes(), 0);
    // A document that is staged and not yet applied is there, and one whose deletion is staged is not.
    let mut new = Batch::new();
    new.push("new", &[("a", Value::Int(1))]);
    world.store.stage_upsert("c", 1, new.bytes(), &[1.0, 0.0]).unwrap();
    let mut change = Batch::new();
    change.push_changes("new", &[("b", Some(Value::Int(2)))]);
    change.push_changes("new", &[("a", None)]);
    assert_eq!(world.store.stage_update("c", 2, change.bytes()).unwrap(), 2);
    world.store.stage_delete("c", [Ok("5")].into_iter()).unwrap();
    let mut gone = Batch::new();
    gone.push_changes("5", &[]);
    assert_eq!(code_of(&world.store.stage_update("c", 1, gone.bytes()).unwrap_err()), Code::NotFound);
    world.store.commit().unwrap();
    assert_eq!(world.store.get("c", "new").unwrap().unwrap().attrs, Attrs::from([("b".to_string(), Value::Int(2))]));
    let mut good = Batch::new();
    good.push_changes("7", &[("z", None)]);
    for bytes in [&[1, 2, 3][..], &[good.bytes(), &[0]].concat(), &good.bytes()[..good.bytes().len() - 1]] {
        assert_eq!(code_of(&world.store.stage_update("c", 1, bytes).unwrap_err()), Code::InvalidArgument);
    }
}
