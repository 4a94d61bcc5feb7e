//! Native nidus 0.3.0 as a peer of the benchmarks. It has the calls of inside/calls.mjs, and reads and writes them as
//! lines of JSON. Times are in milliseconds.
use anyhow::{Context, Result};
use nidus::{Config, Filter, Nidus, Predicate, Record, SearchOpts, Value};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

const BATCH: usize = 1000;
const WANTED_BUCKET: i64 = 3;

#[derive(Default)]
struct Bench {
    rows: Vec<f32>,
    queries: Vec<f32>,
    dimension: usize,
    db: Option<Nidus>,
}

fn floats(path: &str, at_most: usize) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path).context("the input")?;
    Ok(bytes
        .chunks_exact(4)
        .take(at_most)
        .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
        .collect())
}

/// Returns the bucket of a row, like `bucketOf` in data/rows.mjs.
fn bucket_of(row: usize) -> i64 {
    let mixed = (row as u32 + 1).wrapping_mul(2_654_435_761);
    i64::from((mixed >> 16) % 10)
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Returns the bytes that this process has written by system calls. Only Linux tells.
fn written() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("wchar: ")).and_then(|n| n.parse().ok()).unwrap_or(0)
}

impl Bench {
    fn count(&self) -> usize {
        self.rows.len() / self.dimension
    }

    /// Makes the records that native's `upsert` takes. This is not measured.
    fn batch(&self, from: usize) -> Vec<Record> {
        (from..self.count().min(from + BATCH))
            .map(|row| Record {
                id: row.to_string(),
                vector: self.rows[row * self.dimension..(row + 1) * self.dimension].to_vec(),
                attrs: BTreeMap::from([("bucket".to_string(), Value::Int(bucket_of(row)))]),
            })
            .collect()
    }

    fn fill(&self, db: &mut Nidus) -> Result<f64> {
        let mut taken = 0.0;
        for from in (0..self.count()).step_by(BATCH) {
            let batch = self.batch(from);
            let began = Instant::now();
            db.upsert("rows", &batch)?;
            taken += ms(began);
        }
        Ok(taken)
    }

    fn query(&self, which: usize) -> &[f32] {
        &self.queries[which * self.dimension..(which + 1) * self.dimension]
    }

    fn search(&self, db: &Nidus, which: usize, k: usize, filtered: bool) -> Result<(f64, Vec<nidus::Hit>)> {
        let filter =
            if filtered { vec![Predicate::Eq("bucket".into(), Value::Int(WANTED_BUCKET))] } else { Vec::new() };
        let opts = SearchOpts { top_k: k, filter: Filter(filter), min_score: None };
        let began = Instant::now();
        let hits = db.search("rows", self.query(which), &opts)?;
        Ok((ms(began), hits))
    }

    fn call(&mut self, op: &str, args: &Json) -> Result<Json> {
        let number = |name: &str, default: u64| args[name].as_u64().unwrap_or(default) as usize;
        match op {
            "open" => {
                let input = &args["input"];
                self.dimension = input["dimension"].as_u64().context("dimension")? as usize;
                let rows = input["rows"].as_u64().context("rows")? as usize;
                self.rows = floats(input["file"].as_str().context("file")?, rows * self.dimension)?;
                self.queries = floats(input["queries"].as_str().context("queries")?, usize::MAX)?;
                Ok(Json::Null)
            }
            "build" => {
                self.db = None;
                let began = Instant::now();
                let mut db = Nidus::open_in_memory(self.dimension)?;
                let start = ms(began);
                let build = self.fill(&mut db)?;
                let (first, _) = self.search(&db, 0, 10, false)?;
                self.db = Some(db);
                Ok(json!({ "start": start, "build": build, "first": first }))
            }
            "release" => {
                self.rows = Vec::new();
                let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
                let kib = status
                    .lines()
                    .find_map(|line| line.strip_prefix("VmRSS:"))
                    .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
                Ok(json!({ "wasm": 0, "heap": kib.map(|n| n * 1024) }))
            }
            "search" => {
                let db = self.db.as_ref().context("not built")?;
                let filtered = args["filtered"].as_bool().unwrap_or(false);
                let (mut times, mut answers) = (Vec::new(), Vec::new());
                for which in args["order"].as_array().context("order")? {
                    let which = which.as_u64().context("order")? as usize;
                    let (time, hits) = self.search(db, which, number("k", 10), filtered)?;
                    times.push(time);
                    let rows: Vec<u64> = hits.iter().map(|hit| hit.id.parse()).collect::<Result<_, _>>()?;
                    let scores: Vec<_> = hits.iter().map(|hit| hit.score).collect();
                    answers.push(json!({ "which": which, "rows": rows, "scores": scores }));
                }
                Ok(json!({ "times": times, "answers": answers }))
            }
            "many" => Ok(Json::Null),
            "durable" => self.durable(Path::new(args["dir"].as_str().context("dir")?)),
            "close" => {
                self.db = None;
                Ok(Json::Null)
            }
            other => anyhow::bail!("no such call: {other}"),
        }
    }

    /// Inserts rows with a sync for each batch, which is native's default. Then opens the store again and makes the
    /// first search.
    fn durable(&mut self, dir: &Path) -> Result<Json> {
        let _ = std::fs::remove_dir_all(dir);
        let before = written();
        let mut db = Nidus::open(Config::new(dir, self.dimension))?;
        let insert = self.fill(&mut db)?;
        drop(db);
        let bytes = written() - before;
        let began = Instant::now();
        let db = Nidus::open(Config::new(dir, self.dimension))?;
        let open = ms(began);
        let (first, _) = self.search(&db, 0, 10, false)?;
        drop(db);
        let disk: u64 =
            ["data", "log"].iter().map(|name| std::fs::metadata(dir.join(name)).map_or(0, |meta| meta.len())).sum();
        std::fs::remove_dir_all(dir)?;
        Ok(json!({ "insert": insert, "open": open, "first": first, "written": bytes, "disk": disk }))
    }
}

fn main() -> Result<()> {
    let mut bench = Bench::default();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let message: Json = serde_json::from_str(&line?)?;
        let answer = match bench.call(message["op"].as_str().unwrap_or(""), &message["args"]) {
            Ok(value) => json!({ "id": message["id"], "value": value }),
            Err(error) => json!({ "id": message["id"], "error": format!("{error:#}") }),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
