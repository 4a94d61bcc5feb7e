//! Measures the index of words: `cargo run --release --features text --example words -- FILE`. Each line of the file is
//! a document.

use std::time::Instant;

use nidus_wasm::text::index::{Loading, Origin, SLICE, TextIndex};
use nidus_wasm::text::search::{Fuzzy, Options, Question};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn main() -> Result<()> {
    let path = std::env::args().nth(1).ok_or("name a file with one document a line")?;
    let text = std::fs::read_to_string(path)?;
    let lines: Vec<&str> = text.lines().collect();
    let mut index = TextIndex::new(1)?;
    let start = Instant::now();
    for (row, line) in lines.iter().enumerate() {
        index.put(row as u32, &[&[line]])?;
    }
    println!("put {:.0} ms", milliseconds(start));
    let mut longest: f64 = 0.0;
    let mut more = true;
    while more {
        let slice = Instant::now();
        more = index.step(SLICE)?;
        longest = longest.max(milliseconds(slice));
    }
    let built = milliseconds(start);
    println!("build {built:.0} ms in slices of at most {longest:.1} ms, {} sub-indexes", index.sub_indexes());
    report(&index, text.len());
    questions(&mut index, &lines, "words, many segments")?;
    index.condense();
    let start = Instant::now();
    (longest, more) = (0.0, true);
    while more {
        let slice = Instant::now();
        more = index.step(SLICE)?;
        longest = longest.max(milliseconds(slice));
    }
    println!("condense {:.0} ms in slices of at most {longest:.1} ms", milliseconds(start));
    report(&index, text.len());
    questions(&mut index, &lines, "words")?;
    file(&mut index)?;
    let start = Instant::now();
    for (row, line) in lines.iter().enumerate().take(1000) {
        index.put((lines.len() + row) as u32, &[&[line]])?;
    }
    println!("put 1,000: {:.2} ms", milliseconds(start));
    index.statistics(&Question::parse("x", &Options::default())?, &[0], lines.len() as u64 + 1000)?;
    println!("and a search: {:.2} ms", milliseconds(start));
    for row in 0..1000 {
        index.remove((lines.len() + row) as u32)?;
    }
    let mut numbers = Numbers(3);
    let start = Instant::now();
    let dead: Vec<u32> = (0..lines.len() as u32).filter(|_| numbers.below(20) == 0).collect();
    for row in &dead {
        index.remove(*row)?;
    }
    println!("remove {}: {:.2} ms", dead.len(), milliseconds(start));
    questions(&mut index, &lines, "words, 5 % dead")?;
    Ok(())
}

fn file(index: &mut TextIndex) -> Result<()> {
    let start = Instant::now();
    let mut file = Vec::new();
    index.save(&Origin::default(), &mut |bytes| {
        file.extend_from_slice(bytes);
        Ok(())
    })?;
    println!("save {} bytes: {:.1} ms", file.len(), milliseconds(start));
    let start = Instant::now();
    let mut loading = Loading::new(file.len() as u64);
    file.chunks(1 << 20).try_for_each(|bytes| loading.feed(bytes))?;
    let fed = milliseconds(start);
    let (loaded, _) = loading.finish()?;
    println!("load: {fed:.1} ms, with all checks {:.1} ms, {} bytes", milliseconds(start), loaded.bytes());
    Ok(())
}

fn report(index: &TextIndex, text: usize) {
    let bytes = index.bytes();
    println!("{bytes} bytes, {:.3} of the text, {} terms", bytes as f64 / text as f64, index.terms());
}

fn questions(index: &mut TextIndex, lines: &[&str], name: &str) -> Result<()> {
    let mut numbers = Numbers(7);
    let mut asked = Vec::new();
    while asked.len() < 400 {
        let line = lines[numbers.below(lines.len())];
        let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        if words.len() >= 3 {
            let count = 2 + numbers.below(4);
            asked.push((0..count).map(|_| words[numbers.below(words.len())]).collect::<Vec<&str>>().join(" "));
        }
    }
    let cut = |letters: usize| {
        asked.iter().map(move |text| {
            let (rest, last) = text.rsplit_once(' ').unwrap_or(("", text));
            format!("{rest} {}", last.chars().take(letters).collect::<String>())
        })
    };
    let plain = Options::default();
    let prefix = Options { prefix: true, ..plain };
    measure(index, name, &asked, &plain, 10, None)?;
    if name != "words" {
        return Ok(());
    }
    measure(index, "all words", &asked, &Options { match_all: true, ..plain }, 10, None)?;
    for letters in [1, 2, 3, 6] {
        let asked: Vec<String> = cut(letters).collect();
        measure(index, &format!("prefix of {letters}"), &asked, &prefix, 10, None)?;
    }
    measure(index, "every word fuzzy", &asked, &Options { fuzzy: Fuzzy::Every, ..plain }, 10, None)?;
    measure(index, "the best 100", &asked, &plain, 100, None)?;
    measure(index, "the best 1,000", &asked, &plain, 1000, None)?;
    let tenth: Vec<u16> = (0..lines.len().div_ceil(16))
        .map(|_| (0..16).fold(0, |bits, _| bits << 1 | u16::from(numbers.below(10) == 0)))
        .collect();
    measure(index, "filter of a tenth", &asked, &plain, 10, Some(&tenth))?;
    let common = ["a", "the", "of", "and", "for", "to", "in", "with", "is", "or"];
    let stops: Vec<String> =
        (0..100).map(|_| (0..5).map(|_| common[numbers.below(10)]).collect::<Vec<&str>>().join(" ")).collect();
    measure(index, "five common words", &stops, &plain, 10, None)?;
    measure(index, "every score", &asked, &plain, usize::MAX, None)
}

/// Measures searches, in two rounds of which the second one counts. With the largest `k`, it asks for all scores.
fn measure(
    index: &mut TextIndex,
    name: &str,
    asked: &[String],
    options: &Options,
    k: usize,
    filter: Option<&[u16]>,
) -> Result<()> {
    let (mut times, mut found) = (Vec::new(), 0);
    let documents = index.documents() as u64;
    for round in 0..2 {
        for text in asked {
            let start = Instant::now();
            let question = Question::parse(text, options)?;
            let statistics = index.statistics(&question, &[0], documents)?;
            if k == usize::MAX {
                index.all(&question, &statistics, (&[0], &[1.0]), &mut |_, _| found += 1)?;
            } else {
                found += index.best(&question, &statistics, (&[0], &[1.0]), k, filter)?.len();
            }
            if round == 1 {
                times.push(milliseconds(start));
            }
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((share * times.len() as f64) as usize).min(times.len() - 1)];
    println!("{name:24} p50 {:.3} p90 {:.3} p99 {:.3} ms, {found} found", at(0.5), at(0.9), at(0.99));
    Ok(())
}
