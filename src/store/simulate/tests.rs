use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::check::Seen;
use super::run_seed;
use crate::few_or;
use crate::mutant::{self, ALL};

/// Seeds that once found a bug: the seed, the most images at one call, and the bug.
const REGRESSIONS: &str = include_str!("../../../tests/crash/seeds.txt");

/// The number of seeds within which a mutant must be caught.
const TRIES: u64 = 1000;

fn wanted() -> u64 {
    std::env::var("NIDUS_CRASH_IMAGES").ok().and_then(|n| n.replace('_', "").parse().ok()).unwrap_or(1_000_000)
}

/// `NIDUS_CRASH_IMAGES=n` looks at n images instead of a million. `NIDUS_CRASH_SEED=n` looks only at the images of one
/// seed.
#[test]
fn every_crash_image_is_a_state_that_it_may_be() {
    let began = Instant::now();
    let seen = Arc::new(Seen::new());
    if let Some(seed) = std::env::var("NIDUS_CRASH_SEED").ok().and_then(|n| n.parse().ok()) {
        return run_seed(seed, &seen, 400).unwrap_or_else(|what| panic!("{what}"));
    }
    for line in REGRESSIONS.lines() {
        let mut words = line.split_whitespace().map_while(|word| word.parse::<u64>().ok());
        let (Some(seed), Some(most)) = (words.next(), words.next()) else { panic!("no seed and number: {line}") };
        run_seed(seed, &seen, most as usize).unwrap_or_else(|what| panic!("{what}"));
    }
    let next = AtomicU64::new(0);
    let failed: Mutex<Vec<String>> = Mutex::default();
    let work = || {
        while seen.distinct() < wanted() && failed.lock().unwrap().is_empty() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let run = catch_unwind(AssertUnwindSafe(|| run_seed(seed, &seen, 400)));
            if let Err(what) = run.unwrap_or_else(|_| Err(format!("seed {seed} panicked"))) {
                failed.lock().unwrap().push(what);
            }
        }
    };
    std::thread::scope(|scope| {
        (0..std::thread::available_parallelism().map_or(2, usize::from)).for_each(|_| drop(scope.spawn(work)))
    });
    tell(&format!(
        "{} distinct crash images of {} seeds in {:.1} s",
        seen.distinct(),
        next.into_inner(),
        began.elapsed().as_secs_f32()
    ));
    if let Some(what) = failed.into_inner().unwrap().first() {
        panic!("{what}");
    }
    assert!(seen.distinct() >= wanted());
}

#[test]
fn every_mutant_of_the_write_path_is_caught() {
    let seen = Arc::new(Seen::new());
    (0..12).for_each(|seed| run_seed(seed, &seen, 40).unwrap_or_else(|what| panic!("without a mutant, {what}")));
    let next = AtomicU64::new(0);
    let missed: Mutex<Vec<String>> = Mutex::default();
    // `npm test` tries only every third mutant.
    let chosen: Vec<_> = ALL.iter().step_by(few_or(3, 1) as usize).collect();
    let work = || {
        while let Some((mutant, what)) = chosen.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            mutant::activate(Some(*mutant));
            let seen = Arc::new(Seen::new());
            let caught = (0..TRIES).find(|seed| {
                catch_unwind(AssertUnwindSafe(|| run_seed(*seed, &seen, 40))).is_ok_and(|run| run.is_err())
            });
            mutant::activate(None);
            match caught {
                Some(seed) => tell(&format!("caught by seed {seed}, {} images: {what}", seen.distinct())),
                None => missed.lock().unwrap().push(format!("{mutant:?}: {what}")),
            }
        }
    };
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "not caught: {missed:#?}");
}

/// Prints past the test harness, which hides what a passing test prints.
fn tell(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}
