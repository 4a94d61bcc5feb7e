// The questions that a visitor can click. `finds` are the answers that are meant: their rows come first in the set, so
// that they are found while the rest is still on its way. A test asks each question.
export const EXAMPLES = {
  dictionary: [
    { question: 'fear of enclosed spaces', finds: ['claustrophobia'] },
    { question: 'able to use both hands equally well', finds: ['ambidextrous'] },
    { question: 'longing for the past', finds: ['nostalgia'] },
    { question: 'a word spelled the same backwards', finds: ['palindrome'] },
    { question: 'someone who draws maps', finds: ['cartographer'] },
    { question: 'hot melted rock', finds: ['magma', 'lava'] },
    { question: 'cannot fall asleep', finds: ['insomnia'] },
  ],
  emoji: [
    { question: 'feeling sleepy', finds: ['😴', '🥱', '😪'] },
    { question: 'we won the cup', finds: ['🏆', '🥇'] },
    { question: 'bad weather is coming', finds: ['⛈️', '🌧️', '🌩️'] },
    { question: 'my head is exploding', finds: ['🤯'] },
    { question: 'hot coffee, please', finds: ['☕'] },
    { question: 'a sunny day at the beach', finds: ['🏖️', '🏝️'] },
    { question: 'flying home', finds: ['✈️'] },
  ],
}
