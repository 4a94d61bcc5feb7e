//! Finds a part of a text. The algorithm is *two-way* string matching (M. Crochemore and D. Perrin, Two-way
//! string-matching, 1991). It allocates no memory, and its time is at most proportional to the sum of both lengths.
//! (The standard library has the same algorithm, but takes more code.)

/// Returns whether `part` is in `text`.
pub fn contains(text: &[u8], part: &[u8]) -> bool {
    // The part is divided where the shorter of two suffixes begins: the last one in the order of bytes, and the last
    // one in the reverse order.
    let (split, period) = last_suffix(part, false).max(last_suffix(part, true));
    // True if the part repeats itself. Then what has matched need not be compared again after a step.
    let repeats = part.get(period..period + split) == part.get(..split);
    let step = if repeats { period } else { split.max(part.len() - split) + 1 };
    let (mut at, mut known) = (0, 0);
    while let Some(place) = text.get(at..).and_then(|rest| rest.get(..part.len())) {
        let differs = |n: &usize| place[*n] != part[*n];
        if let Some(n) = (split.max(known)..part.len()).find(differs) {
            (at, known) = (at + n - split + 1, 0);
        } else if (known..split).rev().any(|n| differs(&n)) {
            (at, known) = (at + step, if repeats { part.len() - period } else { 0 });
        } else {
            return true;
        }
    }
    false
}

/// Returns where the suffix of `part` begins that comes last in the order of bytes, or in the reverse one, and the
/// period of this suffix.
fn last_suffix(part: &[u8], reverse: bool) -> (usize, usize) {
    // The suffix from `rival` on is compared with the one from `from` on. They agree in `same` bytes so far.
    let (mut from, mut rival, mut same, mut period) = (0, 1, 0, 1);
    while let Some(byte) = part.get(rival + same) {
        let best = &part[from + same];
        if byte == best {
            same += 1;
            if same == period {
                (rival, same) = (rival + period, 0);
            }
        } else if (byte < best) != reverse {
            rival += same + 1;
            (same, period) = (0, rival - from);
        } else {
            from = rival;
            (rival, same, period) = (from + 1, 0, 1);
        }
    }
    (from, period)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: crate::few_or(4_000, 400_000),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Texts of few letters repeat themselves, and so do parts of them.
        #[test]
        fn as_std_finds(
            text in "(ab|a|b|aab|é){0,24}",
            part in "(ab|a|b|aab|é){0,6}",
            from in 0usize..40,
            len in 0usize..24,
        ) {
            let own = text.get(from..).map(|rest| rest.get(..len).unwrap_or(rest)).unwrap_or_default();
            for part in [part.as_str(), own, &format!("{own}{part}")] {
                prop_assert_eq!(
                    contains(text.as_bytes(), part.as_bytes()),
                    text.contains(part),
                    "{:?} {:?}",
                    text,
                    part
                );
            }
        }
    }

    /// Every part of up to nine bytes in every text of up to thirteen, of two letters.
    #[test]
    fn all_short_texts() {
        let words =
            |len: usize| (0..1u32 << len).map(move |bits| (0..len).map(|n| (bits >> n & 1) as u8).collect::<Vec<u8>>());
        for text in (0..14).flat_map(words).step_by(7) {
            for part in (0..10).flat_map(words) {
                let expected = part.is_empty() || text.windows(part.len()).any(|window| window == part);
                assert_eq!(contains(&text, &part), expected, "{text:?} {part:?}");
            }
        }
    }

    /// The steps of a search that tried every place would be the product of the lengths: hours.
    #[test]
    fn long_texts_that_repeat_themselves() {
        let text = "a".repeat(4 << 20);
        for part in [format!("{}b", "a".repeat(1 << 20)), format!("b{}", "a".repeat(1 << 20)), {
            let half = "a".repeat(1 << 19);
            format!("{half}b{half}")
        }] {
            assert!(!contains(text.as_bytes(), part.as_bytes()));
            assert!(contains(format!("{text}{part}").as_bytes(), part.as_bytes()));
        }
    }
}
