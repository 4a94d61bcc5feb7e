// Checks that two implementations of the rule of words agree. The analyzer in Rust made the golden file, and a test in
// Rust holds it to the file. The other implementation is ../text/words-oracle.ts, written from docs/spec/words.md
// alone.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { type Token, tokens } from '../text/words-oracle.js'

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const read = (path: string) => readFileSync(path, 'utf8')

it('finds the golden tokens of generated texts', () => {
  const lines = read(process.env.NIDUS_WORDS_MORE ?? at('tests/golden/words.jsonl'))
    .trim()
    .split('\n')
  expect(lines.length).toBeGreaterThan(500)
  for (const line of lines) {
    const [text, golden] = JSON.parse(line) as [string, Token[]]
    if (JSON.stringify(tokens(text)) !== JSON.stringify(golden))
      expect(tokens(text), JSON.stringify(text)).toEqual(golden)
  }
})

it('finds the tokens of every example of the specification', () => {
  const [, table] = read(at('docs/spec/words.md')).split('## Examples')
  const rows = [...table!.split('\n## ')[0]!.matchAll(/^\| `(.*?)` \| (.*) \|$/gm)]
  expect(rows.length).toBeGreaterThan(40)
  for (const [, written, list] of rows) {
    const text = written!.replace(/\\u\{(.*?)\}/g, (_, code: string) => String.fromCodePoint(parseInt(code, 16)))
    const found = tokens(text).map(([token, , , kind]) => `${kind} \`${token}\``)
    expect(found.join(', ') || 'none', written).toBe(list)
  }
})
