mod examples;
mod forms;
mod golden;
mod places;
mod properties;
mod scripts;
mod speed;
mod tables;

use super::{Kind, Token, tokens};

/// A token that outlives its text.
#[derive(Clone, Debug, PartialEq)]
struct Owned {
    text: String,
    from: usize,
    to: usize,
    kind: Kind,
}

impl From<Token<'_>> for Owned {
    fn from(Token { text, from, to, kind }: Token<'_>) -> Self {
        Owned { text: text.to_string(), from, to, kind }
    }
}

fn all(text: &str) -> Vec<Owned> {
    let mut all = Vec::new();
    tokens(text, &mut |token| all.push(token.into()));
    all
}

#[test]
fn compounds_give_the_whole_and_the_parts() {
    let words = |text| all(text).into_iter().map(|token| token.text).collect::<Vec<_>>().join(" ");
    assert_eq!(words("getElementById.ts"), "getelementbyidts getelementbyid get element by id ts");
    assert_eq!(words("E_NO_ENT ENOENT"), "enoent no ent enoent");
}
