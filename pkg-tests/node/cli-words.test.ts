// The command line searches for words, sets which attributes have words, and changes attributes.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Nidus, type Attrs } from 'nidus-wasm'
import { beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../common/folder'
import { random } from '../common/model'
import { TextModel, sameAnswer, type ModelHit } from '../common/text-model'

const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const folder = temporaryFolder('cli-words')
const at = (...parts: string[]) => join(folder, ...parts)
const D = 8
const WORDS = 'river stone cloud amber field glass'.split(' ')

function cli(...args: string[]) {
  return new Promise<{ code: number; out: string; err: string }>((resolve) =>
    execFile(process.execPath, [program, ...args], { cwd: folder, maxBuffer: 1 << 26 }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    ),
  )
}
async function asked<T = ModelHit[]>(...args: string[]): Promise<T> {
  const { code, out, err } = await cli(...args, '--json')
  expect([code, err], out).toEqual([0, ''])
  return JSON.parse(out) as T
}
async function refused(...args: string[]) {
  const { code, err } = await cli(...args)
  return [code, err.split('\n')[0]!.replace(/^nidus-wasm: /, '')]
}
/** Returns the name and the hash of each file of a store. */
const files = (directory: string) =>
  readdirSync(at(directory))
    .sort()
    .map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(at(directory, name)))
        .digest('hex'),
    ])

const r = random(18)
const model = new TextModel()
const VECTOR = r.vector(D)

beforeAll(async () => {
  const db = await Nidus.open(at('store'), { dimension: D })
  for (const name of ['docs', 'notes']) {
    const records = Array.from({ length: 40 }, (_, n) => {
      const attrs: Attrs = {
        title: r.pick(WORDS),
        body: Array.from({ length: 1 + r.int(8) }, () => r.pick(WORDS)).join(' '),
        kind: r.pick(['a', 'b', 'c']),
        n,
      }
      return { id: `${name}-${n}`, vector: r.vector(D), attrs }
    })
    await db.upsert(name, records)
    for (const { id, vector, attrs } of records) model.collection(name).docs.set(id, { vector, attrs })
  }
  await db.close()
  expect(await refused('search', 'store', '--text', 'river')).toEqual([
    3,
    'INVALID_ARGUMENT: store has no text settings, which say where words are: ' +
      '`nidus-wasm text store COLLECTION --fields NAME,...` sets them',
  ])
  expect(await asked('text', 'store', 'docs', '--fields', 'title:3,body')).toEqual({
    collection: 'docs',
    text: { title: { weight: 3 }, body: { weight: 1 } },
  })
  model.collection('docs').text = { title: 3, body: 1 }
})

describe('text on the command line', () => {
  it('shows and removes the settings, and a typing error makes no collection', async () => {
    const before = files('store')
    expect(await asked('text', 'store')).toEqual([
      { collection: 'docs', text: { title: { weight: 3 }, body: { weight: 1 } } },
      { collection: 'notes', text: null },
    ])
    expect(await asked('text', 'store', 'notes')).toEqual({ collection: 'notes', text: null })
    expect((await cli('text', 'store', 'docs')).out).toBe(
      'collection  field  weight\ndocs        title       3\ndocs        body        1\n',
    )
    expect((await cli('text', 'store', 'notes')).out).toContain('no text settings')
    const { collections } = await asked<{ collections: { name: string; text?: object; meta: object }[] }>(
      'inspect',
      'store',
    )
    expect(collections).toEqual([
      { name: 'docs', documents: 40, meta: {}, text: { title: { weight: 3 }, body: { weight: 1 } } },
      { name: 'notes', documents: 40, meta: {} },
    ])
    expect((await cli('inspect', 'store')).out).toMatch(/^docs +40 +title, body$/m)
    expect(await refused('text', 'store', 'dosc', '--fields', 'title')).toEqual([
      3,
      'NOT_FOUND: there is no collection "dosc" in store; there are "docs", "notes"',
    ])
    expect(files('store')).toEqual(before)
    expect((await cli('import', 'copy', 'store')).code).toBe(0)
    expect(await asked('text', 'copy', 'docs', '--fields', '{"a,b:1":{"weight":0.5}}')).toEqual({
      collection: 'docs',
      text: { 'a,b:1': { weight: 0.5 } },
    })
    expect(await asked('text', 'copy', 'docs', '--remove')).toEqual({ collection: 'docs', text: null })
  })

  it('explains wrong calls', async () => {
    const wrong: [string[], number, string][] = [
      [['text', 'store', '--fields', 'body'], 2, 'text needs a collection for --fields'],
      [['text', 'store', 'docs', '--fields', 'a', '--remove'], 2, 'text takes --fields or --remove, not both'],
      [['text', 'store', 'docs', '--fields', 'a:3x'], 2, '--fields: 3x is no number'],
      [['text', 'store', 'docs', '--fields', 'a,a:2'], 2, '--fields names a twice'],
      [
        ['text', 'store', 'docs', '--fields', 'a:-1'],
        3,
        'INVALID_ARGUMENT: the weight of "a" must be a number from 1e-9 to 1000000000',
      ],
      [['search', 'store', '--prefix', '--like', 'docs-1'], 2, '--prefix needs --text'],
      [['search', 'store', '--fusion', '0.5', '--text', 'a'], 2, '--fusion needs --text, and --vector or --like'],
      [['search', 'store', '--text', 'a', '--like', 'docs-1', '--fusion', '2'], 2, '--fusion must be rrf or a number'],
      [['search', 'store', '--text', 'a', '--match', 'some'], 2, '--match must be any or all, not some'],
      [['search', 'store', '--text', 'a', '--fuzzy', 'every'], 2, 'search does not know what to do with "every" (a'],
      [['search', 'store', '--text', 'a', '--fuzzy=2'], 2, '--fuzzy must be every, not 2'],
      [['search', 'store', '--text', 'a', '--group-by', 'kind:0'], 2, '--group-by must be a whole number from 1'],
      [['search', 'store', '--text', 'a', '--fields', 'kind'], 3, 'INVALID_ARGUMENT: '],
      [['search', 'store', '--text', 'a', '--highlight=kind,'], 2, '--highlight must be names'],
      [['search', 'store', '--text', '--prefix'], 2, '--text needs a value'],
      [['search', 'store', '--texts', 'a'], 2, 'there is no option --texts: did you mean `--text`?'],
      [['search', 'store', '--text', 'a', '--collection', 'doc'], 3, 'NOT_FOUND: there is no collection "doc"'],
      [
        ['search', 'store', '--text', 'a', '--collection', 'notes'],
        3,
        'INVALID_ARGUMENT: the collection "notes" of store has no text settings, which say where words are: ' +
          '`nidus-wasm text store notes --fields NAME,...` sets them',
      ],
    ]
    for (const [args, code, message] of wrong)
      expect(await refused(...args), args.join(' ')).toEqual([code, expect.stringMatching(startingWith(message))])
  })

  it('reads the settings of another version of this package as such', async () => {
    writeFileSync(
      at('newer.jsonl'),
      `{"dimension":2}\n{"collection":"c","meta":{"nidus.text":"{\\"v\\":2}"}}\n{"collection":"c","id":"a","vector":[1,0]}\n`,
    )
    expect((await cli('import', 'newer', 'newer.jsonl')).code).toBe(0)
    for (const args of [
      ['text', 'newer'],
      ['search', 'newer', '--text', 'a'],
    ])
      expect(await refused(...args)).toEqual([3, expect.stringMatching(/^UNSUPPORTED: .*`nidus-wasm text newer /)])
    expect((await cli('inspect', 'newer')).out).toMatch(/^c +1 +cannot be read$/m)
    expect(await asked('text', 'newer', 'c', '--fields', 'body')).toEqual({
      collection: 'c',
      text: { body: { weight: 1 } },
    })
  })
})

const startingWith = (text: string) => new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`)

describe('a search for words on the command line', () => {
  it('finds what a naive model finds, and changes nothing', async () => {
    const before = files('store')
    const like = 'docs-7'
    const vectorOf = (args: string[]) =>
      args.includes('--vector')
        ? VECTOR
        : args.includes('--like')
          ? model.collection('docs').docs.get(like)!.vector
          : undefined
    const one = async (text: string, args: string[], options: Parameters<TextModel['search']>[1], offset = 0) => {
      const found = await asked('search', 'store', '--text', text, '--top', '7', ...args)
      sameAnswer(found, model.search({ text, vector: vectorOf(args) }, options), 7, offset)
      for (const { collection, id, attrs } of found)
        expect(attrs).toEqual(model.collection(collection).docs.get(id)!.attrs)
    }
    const vector = ['--vector', JSON.stringify(Array.from(VECTOR))]
    await one('river stone', [], {})
    await one('river stone', ['--match', 'all', '--offset', '2'], { matchAll: true }, 2)
    await one('cloud', ['--fields', 'body', '--collection', 'docs'], { fields: ['body'], collections: ['docs'] })
    await one('amber glass', vector, {})
    await one('amber glass', [...vector, '--fusion', '0.7', '--filter', '{"kind":"a"}'], {
      fusion: { text: 0.7 },
      keep: ({ kind }) => kind === 'a',
    })
    await one('field', ['--like', like, '--fusion', 'rrf'], { fusion: 'rrf' })
    expect(files('store')).toEqual(before)
  })

  it('finds words that begin so, differ by a letter, or have another form', async () => {
    const ids = async (...args: string[]) =>
      (await asked('search', 'store', '--top', '100', ...args)).map(({ id }) => id).sort()
    const exact = await ids('--text', 'river')
    expect(exact.length).toBeGreaterThan(5)
    expect(await ids('--text', 'rive')).toEqual([])
    expect(await ids('--text', 'riv', '--prefix')).toEqual(exact)
    expect(await ids('--text', 'rivet', '--fuzzy')).toEqual(exact)
    expect(await ids('--text', 'rivet', '--fuzzy=every')).toEqual(exact)
    expect(await ids('--text', 'rivers', '--forms', 'en')).toEqual(exact)
    expect(await ids('--text', '...')).toEqual([])
  })

  it('groups, counts, highlights and leaves out attributes', async () => {
    const ranking = model.search({ text: 'river stone' })
    const values = new Map<unknown, number>()
    for (const { attrs } of ranking) values.set(attrs['kind'], (values.get(attrs['kind']) ?? 0) + 1)
    const { hits, facets } = await asked<{
      hits: (ModelHit & { group: string; matches: Record<string, number[][]>; snippet: string })[]
      facets: Record<string, { value: string; count: number }[]>
    }>(
      ...['search', 'store', '--text', 'river stone', '--group-by', 'kind:2', '--facets', 'kind,n:1'],
      ...['--highlight', '--attrs', 'kind,n'],
    )
    expect(new Map(facets['kind']!.map(({ value, count }) => [value, count]))).toEqual(values)
    expect(facets['n']!.length).toBe(1)
    expect(new Set(hits.map(({ group }) => group)).size).toBe(3)
    expect(hits.length).toBe(6)
    for (const { id, attrs, group, matches, snippet } of hits) {
      const { kind, n, ...texts } = model.collection('docs').docs.get(id)!.attrs
      expect(attrs).toEqual({ kind, n })
      expect(group).toBe(kind)
      const found = Object.entries(matches).flatMap(([field, places]) =>
        places.map(([from, to]) => (texts[field] as string).slice(from, to)),
      )
      expect(found.length).toBeGreaterThan(0)
      for (const word of found) expect(['river', 'stone']).toContain(word)
      expect(snippet).toMatch(/river|stone/)
    }
    const [none] = await asked('search', 'store', '--text', 'river', '--attrs', '', '--highlight=title')
    expect(none!.attrs).toEqual({})
    expect(none).toHaveProperty('matches')
    const { out } = await cli(
      ...['search', 'store', '--text', 'river', '--like', 'docs-1', '--top', '2', '--highlight', '--facets', 'kind'],
    )
    const [head, , , blank, title] = out.split('\n')
    expect(head!.trim().split(/ +/)).toEqual(['score', 'vector', 'words', 'collection', 'id', 'passage', 'attributes'])
    expect([blank, title]).toEqual(['', 'kind  documents'])
    const why = ['search', 'store', '--text', 'river', '--collection', 'docs', '--filter', '{"kind": 1}', '--explain']
    const count = model.collection('docs').docs.size
    const note = `no record has a number under "kind", ${count} have a string`
    expect(await asked(...why)).toEqual({
      hits: [],
      explain: [{ key: 'kind', records: count, types: { string: count }, note }],
    })
    expect((await cli(...why)).out).toContain(note)
  })

  it('has the settings after an export and an import', async () => {
    for (const file of ['whole.tar', 'lines.jsonl']) {
      expect((await cli('export', 'store', file)).code).toBe(0)
      expect((await cli('import', `from-${file}`, file)).code).toBe(0)
      sameAnswer(await asked('search', `from-${file}`, '--text', 'river'), model.search({ text: 'river' }), 10)
    }
  })
})

describe('update on the command line', () => {
  const write = (name: string, ...lines: unknown[]) =>
    writeFileSync(at(name), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))

  it('changes attributes, removes some, and keeps vectors', async () => {
    expect((await cli('import', 'changed', 'store')).code).toBe(0)
    const read = async () => {
      await using db = await Nidus.open(at('changed'), { readOnly: true })
      return await db.get('docs', ['docs-1', 'docs-2', 'docs-3'])
    }
    const [one, two, three] = await read()
    write(
      'changes.jsonl',
      { id: 'docs-1', attrs: { title: 'zenith', big: { $int: '9007199254740993' }, when: { $date: 5 } } },
      { id: 'docs-2', remove: ['title', 'absent'], attrs: { n: null } },
      { collection: 'notes', id: 'notes-1', attrs: { title: 'zenith' } },
      { id: 'docs-1', attrs: { list: ['x'] }, remove: ['n'] },
    )
    expect(await asked('update', 'changed', 'changes.jsonl', '--collection', 'docs', '--batch', '2')).toEqual({
      directory: 'changed',
      documents: 4,
    })
    const after = await read()
    const { n: _n, ...first } = one!.attrs
    const { title: _title, ...second } = two!.attrs
    expect(after).toEqual([
      { ...one!, attrs: { ...first, title: 'zenith', big: 2n ** 53n + 1n, when: new Date(5), list: ['x'] } },
      { ...two!, attrs: { ...second, n: null } },
      three,
    ])
    expect((await asked('search', 'changed', '--text', 'zenith')).map(({ id }) => id)).toEqual(['docs-1'])
    expect((await cli('verify', 'changed')).out).toMatch(/^clean: 80 documents/)
  })

  it('tells unknown ids and wrong lines, and what was written before them', async () => {
    expect((await cli('import', 'kept', 'store')).code).toBe(0)
    const attempt = async (...lines: unknown[]) => {
      write('attempt.jsonl', ...lines)
      return refused('update', 'kept', 'attempt.jsonl', '--collection', 'docs', '--batch', '1')
    }
    const before = files('kept')
    const wrong: [unknown, string][] = [
      [
        { id: 'nobody', attrs: {} },
        'NOT_FOUND: update: no record of the collection "docs" has these ids: "nobody"; nothing was changed',
      ],
      [{ id: 'docs-1' }, 'INVALID_ARGUMENT: attempt.jsonl, line 1: neither "attrs" nor "remove" is there'],
      [{ id: 5, attrs: {} }, 'INVALID_ARGUMENT: attempt.jsonl, line 1: "id" must be a string, not 5'],
      [{ id: 'docs-1', attrs: { n: 1 }, remove: ['n'] }, '"n" is both set and removed'],
      [{ id: 'docs-1', remove: 'n' }, '"remove" must be a list of names, not "n"'],
      [{ id: 'docs-1', attrs: [] }, '"attrs" must be an object, not an array'],
      [{ id: 'docs-1', attrs: {}, vector: [1] }, 'unknown key `vector`'],
    ]
    for (const [line, message] of wrong) expect(await attempt(line)).toEqual([3, expect.stringContaining(message)])
    expect(files('kept')).toEqual(before)
    expect(await attempt({ id: 'docs-1', attrs: { n: 99 } }, { id: 'nobody', attrs: {} })).toEqual([
      3,
      expect.stringContaining('(the 1 changes of earlier batches are written)'),
    ])
    expect(await refused('update', 'kept', 'absent.jsonl')).toEqual([3, 'NOT_FOUND: there is no absent.jsonl'])
    expect(await refused('update', 'nowhere', 'attempt.jsonl')).toEqual([3, 'NOT_FOUND: there is no nowhere'])
    write('plain.jsonl', { id: 'docs-1', attrs: {} })
    expect((await refused('import', 'kept', 'plain.jsonl'))[1]).toContain(
      '`nidus-wasm update` changes attributes alone',
    )
  })
})
