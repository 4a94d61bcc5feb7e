//! English word forms.

use crate::few_or;
use crate::text::words::forms::{range_en, stem_en};
use proptest::prelude::*;

/// Each line has the forms of one word.
const WORDS: &str = "run runs running
rune runes
runner runners
make makes making
hope hopes hoping hoped
hop hops hopping hopped
use uses using used
us
query queries querying queried
fly flies flying
tie ties tied
try tries trying tried
study studies studying studied
embed embeds embedding embedded embeddings
box boxes boxing boxed
fix fixes fixing fixed
class classes classed
process processes processing processed
cache caches caching cached
parse parses parsing parsed
handle handles handling handled
create creates creating created
control controls controlling controlled
travel travels traveling travelling traveled travelled
install installs installing installed
fall falls falling
visit visits visiting visited
decide decides deciding decided
add adds adding added
ask asks asking asked
file files filing filed
fill fills filling filled
show shows showing showed
play plays playing played
agree agrees agreeing
need needs needing needed
do doing
go going
be being
thing things
string strings
str strs
bring brings bringing
br
bus
this
house houses housing housed
potato potatoes
bench benches
permission permissions
vector vectors
index indexes indexing indexed
error errors
organ organs
organize organizes organizing organized
bed beds
speed speeds
plan plans planning planned
plane planes
red
ring rings
king kings
";

#[test]
fn forms_of_one_word_meet_and_those_of_two_do_not() {
    let lines: Vec<Vec<&str>> = WORDS.lines().map(|line| line.split(' ').collect()).collect();
    let mut wrong = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        for (other, words) in lines.iter().enumerate() {
            for a in line {
                for b in words {
                    if (stem_en(a) == stem_en(b)) != (number == other) {
                        wrong.push(format!("{a} {b}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn what_is_no_english_word_is_its_own_stem() {
    for token in ["", "s", "is", "c++", "v1.2.3", "東京", "ings2", "élevés", "ες"] {
        assert_eq!(range_en(token), token);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(few_or(20_000, 1_000_000)))]

    #[test]
    fn every_form_is_in_the_range(
        start in "[a-z]{0,5}",
        ends in prop::array::uniform2("(|s|e|es|ed|ing|d|y|ies|ied|ll|ling)"),
    ) {
        let [a, b] = ends.map(|end| format!("{start}{end}"));
        if stem_en(&a) == stem_en(&b) {
            prop_assert!(b.starts_with(range_en(&a)), "{a} {b} {}", range_en(&a));
            prop_assert!(a.starts_with(range_en(&b)), "{b} {a} {}", range_en(&b));
        }
        prop_assert!(a.starts_with(range_en(&a)));
    }

    #[test]
    fn any_text_has_a_stem(text in any::<String>()) {
        prop_assert!(text.starts_with(range_en(&text)));
    }
}
