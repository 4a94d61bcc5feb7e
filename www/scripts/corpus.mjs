// Makes public/corpus.json from a file of package records. Each line is a JSON object with name, downloads and text.
//   node www/scripts/corpus.mjs records.jsonl
//
// Source: the npm registry's public metadata, with each summary in the words of the package's authors. The result is
// committed, so nobody needs the records to run the demo. This script shows how the packages were chosen, and makes the
// same file again.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const WANTED = 2500
const output = fileURLToPath(new URL('../public/corpus.json', import.meta.url))

const about =
  "Names, summaries and download counts of much used npm packages, from the npm registry's public metadata. " +
  "The summaries are the words of the packages' authors."

function tidy(text) {
  return text
    .replace(/<[^>]*>/g, ' ')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\bhttps?:\/\/\S+/g, ' ')
    .replace(/[^\x20-\x7e\u2013\u2014\u2018\u2019\u201c\u201d\u2026]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
}

/** Returns whether a text is a sentence that says what the package does. The demo searches for such sentences. */
function tells(text) {
  const words = text.split(' ').filter((word) => /[a-z]{2}/i.test(word))
  const letters = text.replace(/[^a-z ]/gi, '').length
  return (
    words.length >= 4 &&
    text.length <= 320 &&
    letters / text.length > 0.7 &&
    !/deprecated|no longer|don't use|do not use|empty package|internal use|placeholder|stub types/i.test(text)
  )
}

const seen = new Set()
const entries = readFileSync(process.argv[2], 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line))
  .map(({ name, downloads, text }) => ({
    name,
    downloads,
    text: tidy(text),
    foreign: /[^\x00-\u024f\u2000-\u2bff\ufe0f\u{1f000}-\u{1ffff}]/u.test(text),
  }))
  .filter(({ text, foreign }) => !foreign && tells(text))
  .sort((a, b) => b.downloads - a.downloads || (a.name < b.name ? -1 : 1))
  // Packages of one family often have the same sentence. Only the package with the most downloads is taken.
  .filter(({ text }) => !seen.has(text.toLowerCase()) && seen.add(text.toLowerCase()))
  .slice(0, WANTED)

// Each entry has a line of its own, so that changes of the corpus are easy to read.
const lines = entries.map(({ name, text, downloads }) => JSON.stringify([name, text, downloads]))
writeFileSync(
  output,
  `{"about":${JSON.stringify(about)},\n"columns":["name","text","downloads"],\n"entries":[\n${lines.join(',\n')}\n]}\n`,
)
console.log(`${entries.length} entries, the least used with ${entries.at(-1).downloads} downloads`)
