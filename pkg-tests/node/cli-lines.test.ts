// The command line writes and reads lines of JSON that have exactly the data of a store.
import { Nidus, type AttrValue } from 'nidus-wasm'
import { describe, expect, it } from 'vitest'
import { at, cli, everything, fine, fresh, lines, random, refused, seedRandom, vectors, write } from './cli-runner'

const D = 5
const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
const TEXTS = [
  '',
  'plain',
  'ünïcödé 😀',
  '\u2028\u2029\r\n\t\0',
  '\uFEFFbom',
  '"\\{}',
  '$int',
  '__proto__',
  '9007199254740993',
  ' '.repeat(70),
]
const VALUES: (() => AttrValue)[] = [
  () => null,
  () => random() < 0.5,
  () => pick(TEXTS),
  () => [],
  () => [pick(TEXTS), pick(TEXTS)],
  () => Math.floor((random() - 0.5) * 2 ** 53),
  () => 2n ** 63n - 1n,
  () => -(2n ** 63n),
  () => BigInt(Math.floor(random() * 2 ** 53)) * 1023n,
  () => -0,
  () => random() * 1e300,
  () => 5e-324,
  () => 1e300,
  () => 2 ** 60,
  () => 0.1 + random(),
  () => new Date(Math.floor((random() - 0.5) * 4e12)),
  () => new Date(8.64e15),
  () => new Date(-8.64e15),
  () => new Date(-1),
]
const key = () => pick([...TEXTS, 'a', 'b', 'c', 'constructor'])
/** Returns an object of random entries. Each name is there once, and `__proto__` is an ordinary property. */
const object = <T>(entries: [string, T][]) => Object.fromEntries(entries) as Record<string, T>

describe('lines of JSON', () => {
  it.each([1, 2, 3, 4])('keep every value, collection and meta: generated store %i', async (seed) => {
    seedRandom(seed * 7919)
    const store = fresh()
    const db = await Nidus.open(at(store), { dimension: D })
    for (const name of ['default', 'ünïcödé 😀 \u2028', '__proto__', 'empty', 'empty, with meta'].slice(0, 2 + seed)) {
      await db.createCollection(name)
      if (random() < 0.7) await db.setMeta(name, object(Array.from({ length: 3 }, () => [key(), pick(TEXTS)])))
      if (name.startsWith('empty')) continue
      const ids = [...new Set(Array.from({ length: 60 }, () => `${pick(TEXTS)}${Math.floor(random() * 100)}`))]
      await db.upsert(
        name,
        ids.map((id) => ({
          id,
          vector: Array.from({ length: D }, () => random() - 0.5),
          attrs: object(Array.from({ length: 6 }, () => [key(), pick(VALUES)()])),
        })),
      )
    }
    await db.close()
    const [first, second, copy] = [fresh('.jsonl'), fresh('.jsonl'), fresh()]
    await fine('export', store, first)
    await fine('import', copy, first, '--batch', '7')
    expect(await everything(copy)).toEqual(await everything(store))
    // The import scales the vector again, so the last bits of its numbers may change.
    const [before, after] = [await vectors(store), await vectors(copy)]
    expect(after.length).toBe(before.length)
    after.forEach((x, i) => expect(Math.abs(x - before[i]!)).toBeLessThanOrEqual(2 ** -21))
    await fine('export', copy, second)
    const plain = (file: string) => lines(file).map(({ vector: _, ...rest }) => rest)
    expect(plain(second)).toEqual(plain(first))
  })

  it('keep values that JavaScript cannot distinguish or cannot write', async () => {
    const attrs = {
      whole: { $float: 5 },
      int: 5,
      zero: { $float: '-0' },
      nan: { $float: 'NaN' },
      big: { $int: '9007199254740993' },
      least: { $int: '-9223372036854775808' },
      day: { $date: '2024-02-29T12:00:00.001Z' },
      early: { $date: '-000001-01-01T00:00:00.000Z' },
      far: { $date: '9223372036854775807' },
    }
    const file = write(JSON.stringify({ id: 'a', vector: [1, 0], attrs }))
    const store = fresh()
    const { code, err } = await cli('import', store, file)
    if (code !== 0) expect(err).toContain('nan')
    const { nan: _, ...rest } = attrs
    if (code !== 0) await fine('import', store, write(JSON.stringify({ id: 'a', vector: [1, 0], attrs: rest })))
    const out = fresh('.jsonl')
    await fine('export', store, out)
    expect(lines(out)[2]!.attrs).toMatchObject(rest)
    const db = await Nidus.open(at(store), { readOnly: true })
    const [record] = await db.get('default', ['a'])
    await db.close()
    expect(record!.attrs).toMatchObject({
      big: 9007199254740993n,
      far: 9223372036854775807n,
      day: new Date('2024-02-29T12:00:00.001Z'),
      whole: 5,
    })
  })

  it('read integers beyond 2^53 exactly, also without a tag', async () => {
    const store = fresh()
    await fine(
      'import',
      store,
      write(
        '{"id":"9007199254740993 in a ' +
          'text","vector":[0.1234567890123456789,1],"attrs":{"n":9007199254740993,"m":-9223372036854775808,"t":"9007199254740993"}}',
      ),
    )
    const db = await Nidus.open(at(store), { readOnly: true })
    const [record] = await db.get('default', ['9007199254740993 in a text'])
    await db.close()
    expect(record!.attrs).toEqual({ n: 9007199254740993n, m: -(2n ** 63n), t: '9007199254740993' })
    expect(
      await refused('import', store, write('{"id":"a","vector":[1,0],"attrs":{"n":99999999999999999999}}')),
    ).toContain('line 1: attribute "n": 99999999999999999999 does not fit 64 bits')
  })

  it('may begin with a byte order mark and have Windows line ends', async () => {
    const store = fresh()
    await fine('import', store, write('\uFEFF{"id":"a","vector":[1,0]}\r\n', '{"id":"b","vector":[1,0]}'))
    expect((await everything(store))[1]).toEqual([
      'default',
      {},
      [
        ['a', []],
        ['b', []],
      ],
    ])
  })

  it.each<[string, (string | Uint8Array)[], string]>([
    [
      'bytes that are no UTF-8',
      ['{"id":"a","vector":[1,0]}\n{"id":"', Uint8Array.of(0xff), '","vector":[1,0]}'],
      'line 2: the line is not UTF-8',
    ],
    [
      'an unknown key',
      ['{"id":"a","vector":[1,0],"metadata":{}}'],
      'line 1: unknown key `metadata`: did you mean `attrs`?',
    ],
    [
      'an unknown key of a collection',
      ['{"collection":"a","mata":{}}'],
      'line 1: unknown key `mata`: did you mean `meta`?',
    ],
    [
      'a meta value of a wrong type',
      ['{"dimension":2}\n{"collection":"a","meta":{"x":1}}'],
      'line 2: meta "x" must be a string',
    ],
    ['a number that is too large', ['{"id":"a","vector":[1,1e39]}'], 'line 1: vector[1] does not fit a 32-bit float'],
    [
      'a text with half a character',
      ['{"id":"a","vector":[1,0],"attrs":{"t":"\\ud83d"}}'],
      'line 1: attribute "t" holds a lone surrogate',
    ],
    [
      'a date without its zone',
      ['{"id":"a","vector":[1,0],"attrs":{"t":{"$date":"2024-01-01T00:00"}}}'],
      'line 1: attribute "t": $date is',
    ],
    ['an object', ['{"id":"a","vector":[1,0],"attrs":{"t":{"x":1}}}'], 'line 1: attribute "t" is an object'],
    ['attributes that are no object', ['{"id":"a","vector":[1,0],"attrs":[1]}'], 'line 1: "attrs" must be an object'],
    ['no JSON', ['{"id":"a",}'], 'line 1: the line is not JSON: '],
    ['no object', ['[]'], 'line 1: an object is needed'],
    [
      'another dimension',
      ['{"dimension":3}\n{"id":"a","vector":[1,0]}'],
      'line 2: the vector has 2 numbers, those before it 3',
    ],
  ])('are refused by their number: %s', async (_, texts, message) => {
    expect(await refused('import', fresh(), write(...texts))).toContain(message)
  })

  it('report how many documents before the wrong line are written', async () => {
    const store = fresh()
    const good = Array.from({ length: 20 }, (_, i) => JSON.stringify({ id: `${i}`, vector: [1, i] })).join('\n')
    expect(await refused('import', store, write(good, '\n{}'), '--batch', '8')).toContain(
      'line 21: "id" must be a string (the 16 documents before it are written)',
    )
    expect(JSON.parse(await fine('inspect', store, '--json')).docCount).toBe(16)
  })
})

it('have integers, dates and -0 in the form that search prints and that filters take', async () => {
  const store = fresh()
  const attrs = { n: { $int: '9007199254740993' }, t: { $date: '2024-01-01T00:00:00.000Z' }, z: { $float: '-0' } }
  await fine('import', store, write(JSON.stringify({ id: 'a', vector: [1, 0], attrs }), '\n{"id":"b","vector":[1,0]}'))
  const filter = '{"n":9007199254740993,"t":{"$gte":{"$date":"2024-01-01T00:00:00Z"}}}'
  const hits = JSON.parse(await fine('search', store, '--vector', '[1,0]', '--filter', filter, '--json')) as {
    id: string
    attrs: object
  }[]
  expect(hits.map(({ id, attrs }) => [id, attrs])).toEqual([['a', attrs]])
})

describe('an option', () => {
  it.each<[string[], string]>([
    [['inspect', 's', '--jsn'], 'there is no option --jsn: did you mean `--json`?'],
    [['inspect', 's', '--top', '3'], 'inspect takes no --top'],
    [['export', 's', 'x.tar', '--replace'], 'export takes no --replace'],
    [['search', 's', '--vector', '[1]', '--replace'], 'search takes no --replace'],
    [['search', 's', '--vector', '--json'], '--vector needs a value'],
    [['search', 's', '--vector', '[1]', '--top', '1', '--top', '2'], '--top is given twice'],
    [['search', 's', '--vector', '[1]', '--min-score', 'x'], '--min-score must be a number'],
    [['inspect', 's', '--json=yes'], '--json takes no value'],
    [['inspect', 's', 'more'], 'inspect does not know what to do with "more"'],
    [
      ['search', 's', 'roof'],
      'search does not know what to do with "roof" (words to search for are written --text \'words\')',
    ],
    [['insepct', 's'], 'there is no command "insepct": did you mean `inspect`?'],
  ])('that is of no use is refused: %j', async (args, message) => {
    await fine('import', 's', write('{"id":"a","vector":[1]}'))
    const { code, err, out } = await cli(...args)
    expect([code, `${err}${out}`]).toEqual([2, expect.stringContaining(message)])
  })

  it('that the kind of file does not take is refused', async () => {
    const file = write('{"id":"a","vector":[1]}')
    expect(await refused('import', fresh(), file, '--replace')).toContain('import of lines of JSON takes no --replace')
    expect(await refused('import', fresh(), file, '--ids', 'x')).toContain('import of lines of JSON takes no --ids')
    await fine('export', 's', 'whole.tar')
    expect(await refused('import', fresh(), 'whole.tar', '--collection', 'x')).toContain(
      'import of a whole store takes no --collection',
    )
    expect(JSON.parse(await fine('search', 's', '--vector', '[1]', '--min-score', '-0.5', '--json'))).toHaveLength(1)
  })
})

it('takes nothing for something near it: a lone surrogate, a day that is none, a number not in decimal', async () => {
  const line = (more: string) => `{"id":"a","vector":[1,0],${more}}\n`
  for (const [more, told] of [
    [String.raw`"collection":"\ud800"`, '"collection" holds a lone surrogate'],
    ['"collection":null', '"collection" must be a string'],
    ['"attrs":{"x":{"$date":"2024-02-30T00:00:00Z"}}', '$date is "2024-02-30T00:00:00Z"'],
    ['"attrs":{"x":{"$date":"2023-02-29"}}', '$date is "2023-02-29"'],
    ['"attrs":{"x":{"$float":"0x10"}}', '$float is "0x10"'],
    ['"attrs":{"x":{"$float":" 1"}}', '$float is " 1"'],
  ] as const)
    expect(await refused('import', fresh(), write(line(more))), more).toContain(told)
  const store = fresh()
  await fine(
    'import',
    store,
    write(
      '{"id":"a","vector":[12345678901234567890,0],"attrs":{"x":{"$date":"2024-02-29T23:00:00+02:00"},"y":{"$date":"+002024-02-29"},"z":{"$float":"-1e3"}}}\n',
    ),
  )
  const db = await Nidus.open(at(store), { readOnly: true })
  const [found] = await db.get('default', ['a'])
  expect([[...found!.vector], found!.attrs]).toEqual([
    [1, 0],
    { x: new Date('2024-02-29T21:00:00Z'), y: new Date('2024-02-29'), z: -1000 },
  ])
  await db.close()
})
