import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL, fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { TextIndex } from 'nidus-wasm/text'
import { temporaryFolder } from '../common/folder'
import { random } from '../common/model'
import { EVERYWHERE, KEPT } from '../common/text-index-cases'

const root = temporaryFolder('text-index')

describe('TextIndex, files', () => {
  for (const [i, [name, run]] of KEPT.entries())
    it(name, () => run((path, options) => TextIndex.open(path, options), join(root, `${i}`)))
})

describe('TextIndex, memory', () => {
  for (const [i, [name, run]] of EVERYWHERE.entries())
    it(name, () => run((path, options) => TextIndex.open(path, { store: { storage: 'memory' }, ...options }), `m${i}`))
})

const BITS = [
  '# A\n',
  '## B\n',
  '# \n',
  '#nospace\n',
  'Setext\n===\n',
  '---\n',
  '=====\n',
  'text here. ',
  'More words go on and on, ',
  '\n',
  '\n\n',
  '\r\n',
  '- item\n',
  '1. one\n',
  '```\n',
  '~~~js\n',
  'let a = 1;\n',
  '    indented\n',
  '> quote\n',
  '| a | b |\n',
  '😀😀 ',
  '中文句子。再来一个。',
  'a'.repeat(900),
  ' '.repeat(50),
  '\t',
  'End? Yes! No... ',
  '\u2028',
  '\u0000',
]
const tokens = (text: string) =>
  [...text.matchAll(/\S/g)].reduce((sum, [letter]) => sum + (letter.charCodeAt(0) >= 0x2e80 ? 1 : 0.25), 0)

describe('passages', () => {
  it.each(['text', 'markdown', 'code'] as const)(
    'of %s lose nothing, are where they say, and are not too long',
    async (format) => {
      const r = random(11)
      const size = 60
      await using index = await TextIndex.open('chunks', { store: { storage: 'memory' }, chunks: { size, overlap: 5 } })
      for (let n = 0; n < 300; n++) {
        const text = Array.from({ length: r.int(30) }, () => r.pick(BITS)).join('')
        await index.add({ id: 'd', text, format })
        const { passages } = (await index.get('d'))!
        const covered = new Uint8Array(text.length)
        for (const { text: passage, start, end, headings } of passages) {
          expect(text.slice(start, end)).toBe(passage)
          expect(tokens(passage)).toBeLessThanOrEqual(size)
          covered.fill(1, start, end)
          expect(headings.every((heading) => text.includes(heading))).toBe(true)
        }
        // Headings are told beside the passages.
        const lost = [...text.matchAll(/\S/g)].filter(({ index: at }) => {
          if (covered[at]) return false
          const line = text.slice(
            text.lastIndexOf('\n', at - 1) + 1,
            (text.indexOf('\n', at) + 1 || text.length + 1) - 1,
          )
          const isHeading =
            /^\s*#|^\s*(=+|-+)\s*$/.test(line) ||
            passages.some(({ headings }) => headings.some((each) => each && line.includes(each)))
          return !(format === 'markdown' && isHeading)
        })
        expect(lost.map(({ 0: letter, index: at }) => [letter, at, text])).toEqual([])
      }
    },
  )
})

describe('a heading of more than 500 letters', () => {
  const long = 'It is long. '.repeat(60).trim()
  it.each([
    ['markdown', `${long}\n---\nThe rest.`],
    ['markdown', `# ${long}\nThe rest.`],
    ['html', `<h1>${long}</h1><p>The rest.`],
  ] as const)('is a paragraph: %s, %#', async (format, text) => {
    await using index = await TextIndex.open('long', { store: { storage: 'memory' } })
    await index.add({ id: 'd', text, format })
    const { passages } = (await index.get('d'))!
    expect(passages.flatMap(({ headings }) => headings)).toEqual([])
    expect(passages.map(({ text }) => text).join(' ')).toContain('The rest.')
    expect(passages[0]!.text).toContain('It is long. It is long.')
  })
})

describe('passages of HTML', () => {
  it.each([
    ['<head><title>t</title><body>text', [['text', []]]],
    ['<h1>T<p>all the text', [['all the text', ['T']]]],
    [
      '<h2>A<h2>B</h2>b',
      [
        ['A', []],
        ['b', ['B']],
      ],
    ],
    ['<p>informaci&oacute;n &toString; &#128512;', [['información &toString; 😀', []]]],
    ['<h1>a<br>b</h1>c', [['c', ['a b']]]],
    ['<p>1 < 2 and <b>3</b> > 2', [['1 < 2 and 3 > 2', []]]],
  ])('%s', async (text, passages) => {
    await using index = await TextIndex.open('html', { store: { storage: 'memory' } })
    await index.add({ id: 'd', text, format: 'html' })
    expect((await index.get('d'))!.passages.map(({ text, headings }) => [text, headings])).toEqual(passages)
  })
})

describe('a process that is killed', () => {
  it('while it adds and replaces documents leaves each document whole, and none of its older passages', async () => {
    const entry = pathToFileURL(fileURLToPath(new URL('../../dist/text-index-node.js', import.meta.url))).href
    const r = random(Date.now() % 1000)
    const directory = join(root, 'killed')
    let acknowledged = -1
    for (let cycle = 0; cycle < 8; cycle++) {
      const code = `
        import { TextIndex } from ${JSON.stringify(entry)}
        const index = await TextIndex.open(${JSON.stringify(directory)})
        for (let n = ${acknowledged + 1}; ; n++) {
          const text = Array.from({ length: (n * 7) % 13 }, (_, i) => '# H' + i + '\\nversion ' + n).join('\\n')
          await index.add({ id: 'd' + (n % 5), text, format: 'markdown' })
          console.log(n)
        }`
      const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const ended = new Promise((resolve) => child.once('close', resolve))
      const enough = acknowledged + 10 + r.int(20)
      for await (const line of createInterface({ input: child.stdout })) {
        acknowledged = Number(line)
        if (acknowledged === enough) setTimeout(() => child.kill('SIGKILL'), r.int(5))
      }
      await ended
      await using index = await TextIndex.open(directory)
      let passages = 0
      for (let d = 0; d < 5; d++) {
        const document = await index.get(`d${d}`)
        // The newest acknowledged version, or the one after it, which was under way.
        const newest = acknowledged - ((acknowledged - d) % 5)
        const versions = new Set(document!.passages.map(({ text }) => Number(/\d+$/.exec(text)?.[0])))
        const [version] = document!.passages[0]!.text === '' ? [newest] : versions
        expect(versions.size, `d${d}: ${[...versions].join()}`).toBe(1)
        if (document!.passages[0]!.text !== '') {
          expect([newest, newest + 5]).toContain(version)
          expect(document!.passages).toHaveLength((version! * 7) % 13)
        }
        passages += document!.passages.length
      }
      expect(await index.state()).toMatchObject({ documents: 5, passages })
      expect(await index.db.count('passages', { _was: { $exists: true } })).toBe(0)
    }
  })
})
