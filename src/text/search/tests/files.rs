//! Files that are not as they were saved. Either loading fails, or the loaded index answers without a panic.

use proptest::prelude::*;

use super::histories::{Asked, Pair, asked, saved, texts};
use crate::few_or;
use crate::text::index::{Loading, Origin, TextIndex};
use crate::text::search::Question;

pub fn load(file: &[u8], length: usize) -> crate::Result<TextIndex> {
    load_as(file, length, None)
}

fn load_as(file: &[u8], length: usize, numbers: Option<Vec<u32>>) -> crate::Result<TextIndex> {
    let mut loading = Loading::new(length as u64);
    for bytes in file.chunks(777) {
        loading.feed(bytes)?;
    }
    if let Some(numbers) = numbers {
        loading.renumber(numbers)?;
    }
    Ok(loading.finish()?.0)
}

/// Makes the checksum fit the bytes again.
fn seal(file: &mut [u8]) {
    let end = file.len() - 4;
    let sum = crc32fast::hash(&file[..end]);
    file[end..].copy_from_slice(&sum.to_le_bytes());
}

fn use_all(index: &mut TextIndex, asked: &Asked) {
    let question = Question::parse(&asked.text, &asked.options).unwrap();
    let documents = index.documents() as u64;
    let fields: Vec<u8> = (0..asked.weights.len().min(index.fields())).map(|field| field as u8).collect();
    let weights = &asked.weights[..fields.len()];
    if let Ok(mut statistics) = index.statistics(&question, &fields, documents) {
        statistics.counts.iter_mut().for_each(|count| *count = documents.min(*count));
        let _ = index.best(&question, &statistics, (&fields, weights), asked.k, None);
        let _ = index.all(&question, &statistics, (&fields, weights), &mut |_, _| ());
    }
    for doc in 0..20 {
        index.remove(doc).unwrap();
    }
    let strings: Vec<&[&str]> = (0..index.fields()).map(|_| &["the color"][..]).collect();
    index.put(5, &strings).unwrap();
    index.condense();
    while index.step(1000).unwrap() {}
    index.catch_up().unwrap();
    saved(index, &Origin::default());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: few_or(150, 50_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn hostile_files_do_no_harm(
        documents in prop::collection::vec(texts(2), 1..40),
        long in any::<bool>(),
        removed in 0u32..50,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        honest in any::<bool>(),
        asked in asked(2),
    ) {
        let mut pair = Pair::new(2);
        for (doc, texts) in documents.iter().enumerate() {
            pair.put(doc as u32, texts);
        }
        if long {
            (0..200).for_each(|doc| pair.put(100 + doc, &vec![vec!["the color of".into()], vec!["the the".into()]]));
        }
        pair.index.catch_up().unwrap();
        pair.index.remove(removed).unwrap();
        let file = saved(&mut pair.index, &Origin::default());
        prop_assert!(load(&file, file.len()).is_ok());
        let mut hostile = file.clone();
        for (place, value, near) in &changes {
            // Most of the numbers that matter are in the header.
            let place = if *near { place.index(file.len().min(120)) } else { place.index(file.len()) };
            hostile[place] = *value;
        }
        if let Some(cut) = cut {
            hostile.truncate(cut.index(file.len()).max(5));
        }
        if hostile == file {
            return Ok(());
        }
        if honest {
            prop_assert!(load(&hostile, hostile.len()).is_err());
        }
        seal(&mut hostile);
        // A file that somebody made may have more documents than there are numbers. Those get none.
        let numbers = vec![None, Some((0..300).collect()), Some((0..300).rev().collect()), Some(vec![])];
        for numbers in numbers {
            if let Ok(mut index) = load_as(&hostile, hostile.len(), numbers) {
                use_all(&mut index, &asked);
            }
        }
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), length in any::<u64>()) {
        prop_assert!(load(&bytes, bytes.len()).is_err());
        prop_assert!(load(&bytes, length as usize).is_err());
        let mut sealed = [b"nidustx\x01".as_slice(), &bytes, &[0; 4]].concat();
        seal(&mut sealed);
        let _ = load(&sealed, sealed.len());
    }
}

#[test]
fn a_file_that_says_it_is_large_takes_no_memory() {
    let mut header = b"nidustx\x01".to_vec();
    header.extend_from_slice(&[0; 20]);
    for number in [1u32, 1, 16, u32::MAX, 1, u32::MAX, 10, 0, 0] {
        header.extend_from_slice(&number.to_le_bytes());
    }
    let mut loading = Loading::new(header.len() as u64 + 100);
    assert!(loading.feed(&header).is_err());
}
