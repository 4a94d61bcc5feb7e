// The command line writes and reads exactly the data of a store: lines of JSON, matrices, and the files of an export.
import { execFile, spawn } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Nidus, type AttrValue } from 'nidus-wasm'
import { afterAll, describe, expect, it } from 'vitest'

const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'nidus-lines-'))
const at = (...parts: string[]) => join(folder, ...parts)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function cli(...args: string[]) {
  return new Promise<{ code: number; out: string; err: string }>((resolve) =>
    execFile(process.execPath, [program, ...args], { cwd: folder, maxBuffer: 1 << 28 }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    ),
  )
}
const fine = async (...args: string[]) => {
  const { code, err, out } = await cli(...args)
  expect([code, err]).toEqual([0, ''])
  return out
}
const refused = async (...args: string[]) => {
  const { code, err } = await cli(...args)
  expect(code).toBeGreaterThan(1)
  return err
}
let n = 0
const fresh = (end = '') => `x${n++}${end}`
const lines = (file: string) =>
  readFileSync(at(file), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
const write = (...texts: (string | Uint8Array)[]) => {
  const file = fresh('.jsonl')
  writeFileSync(at(file), Buffer.concat(texts.map((text) => Buffer.from(text))))
  return file
}

const D = 5
let state = 7
const random = () => (state = (state * 48271) % 2147483647) / 2147483647
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
/** No two properties have the same name, and `__proto__` is a property like the others. */
const object = <T>(entries: [string, T][]) => Object.fromEntries(entries) as Record<string, T>

async function everything(directory: string) {
  const db = await Nidus.open(at(directory), { readOnly: true })
  const all: unknown[] = [db.dimension]
  for (const name of await db.collections()) {
    const records = []
    for await (const { id, attrs } of db.records(name)) records.push([id, Object.entries(attrs)])
    all.push([name, await db.getMeta(name), records])
  }
  await db.close()
  return all
}
async function vectors(directory: string) {
  const db = await Nidus.open(at(directory), { readOnly: true })
  const all: number[] = []
  for (const name of await db.collections()) for await (const { vector } of db.records(name)) all.push(...vector)
  await db.close()
  return all
}

describe('lines of JSON', () => {
  it.each([1, 2, 3, 4])('keep every value, collection and meta: generated store %i', async (seed) => {
    state = seed * 7919
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
    // The vector is scaled again, so the last bits of a number may change.
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
      'line 2: no UTF-8',
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

describe('an exported file', () => {
  it('does not touch files of the user with similar names, and two exports at once both succeed', async () => {
    const store = fresh()
    await fine(
      'import',
      store,
      write(...Array.from({ length: 500 }, (_, i) => `${JSON.stringify({ id: `${i}`, vector: [1, i] })}\n`)),
    )
    const dir = fresh()
    mkdirSync(at(dir))
    writeFileSync(at(dir, 'x.tar.part'), 'my own')
    const results = await Promise.all([1, 2, 3].map(() => cli('export', store, `${dir}/x.tar`)))
    expect(results.map(({ code, err }) => [code, err])).toEqual([
      [0, ''],
      [0, ''],
      [0, ''],
    ])
    expect(readFileSync(at(dir, 'x.tar.part'), 'utf8')).toBe('my own')
    expect(readdirSync(at(dir)).sort()).toEqual(['x.tar', 'x.tar.part'])
    await fine('import', fresh(), `${dir}/x.tar`)
  })

  it('is replaced only by a whole file, and a link stays a link', async () => {
    const dir = fresh()
    mkdirSync(at(dir))
    writeFileSync(at(dir, 'real.tar'), "yesterday's")
    symlinkSync('real.tar', at(dir, 'x.tar'))
    expect(await refused('export', 'nowhere', `${dir}/x.tar`)).toContain('NOT_FOUND')
    expect(readFileSync(at(dir, 'x.tar'), 'utf8')).toBe("yesterday's")
    expect(readdirSync(at(dir)).sort()).toEqual(['real.tar', 'x.tar'])
    const store = fresh()
    await fine('import', store, write('{"id":"a","vector":[1,0]}'))
    await fine('export', store, `${dir}/x.tar`)
    expect(lstatSync(at(dir, 'x.tar')).isSymbolicLink()).toBe(true)
    await fine('import', fresh(), `${dir}/real.tar`)
    expect(await refused('export', store, dir)).toContain(`${dir} is a directory`)
    expect(readdirSync(at(dir)).sort()).toEqual(['real.tar', 'x.tar'])
  })

  it('leaves nothing behind when the export is stopped', async () => {
    const store = fresh()
    await fine(
      'import',
      store,
      write(
        ...Array.from(
          { length: 4000 },
          (_, i) => `${JSON.stringify({ id: `${i}`, vector: Array.from({ length: 64 }, () => random()) })}\n`,
        ),
      ),
    )
    const dir = fresh()
    mkdirSync(at(dir))
    const child = spawn(process.execPath, [program, 'export', store, `${dir}/x.jsonl`], {
      cwd: folder,
      stdio: 'ignore',
    })
    const over = new Promise<[number | null, string | null]>((resolve) =>
      child.on('close', (code, signal) => resolve([code, signal])),
    )
    const begun = setInterval(() => readdirSync(at(dir)).length && child.kill('SIGTERM'), 1)
    const [code, signal] = await over
    clearInterval(begun)
    // If the signal comes too late, the file is whole.
    expect(readdirSync(at(dir))).toEqual(code === 0 ? ['x.jsonl'] : [])
    if (code !== 0) expect(signal).toBe('SIGTERM')
  })
})

describe('a matrix', () => {
  const npy = (header: string, bytes: Uint8Array = new Uint8Array(), version = 1) => {
    const text = Buffer.from(header.padEnd(118) + '\n')
    const file = fresh('.npy')
    const length = version === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0]
    writeFileSync(
      at(file),
      Buffer.concat([Buffer.from([0x93, ...Buffer.from('NUMPY'), version, 0, ...length]), text, bytes]),
    )
    return file
  }
  const dict = (descr: string, order: string, shape: string) =>
    `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`
  const floats = new Uint8Array(Float32Array.of(1, 0, 0, 1).buffer)

  it('of version 1, 2 or 3 is read', async () => {
    for (const version of [1, 2, 3]) {
      const store = fresh()
      await fine('import', store, npy(dict(`'<f4'`, 'False', '(2, 2)'), floats, version))
      expect((await everything(store))[1]).toEqual([
        'default',
        {},
        [
          ['0', []],
          ['1', []],
        ],
      ])
    }
  })

  it.each([
    ['big-endian', dict(`'>f4'`, 'False', '(2, 2)'), 'big-endian'],
    ['half floats', dict(`'<f2'`, 'False', '(2, 2)'), 'holds "<f2"'],
    ['integers', dict(`'<i8'`, 'False', '(2, 2)'), 'holds "<i8"'],
    ['a record type', dict(`[('x', '<f4')]`, 'False', '(2, 2)'), 'names no type'],
    ['Fortran order', dict(`'<f4'`, 'True', '(2, 2)'), 'Fortran order'],
    ['one dimension', dict(`'<f4'`, 'False', '(4,)'), 'has 1 dimensions (4)'],
    ['three dimensions', dict(`'<f4'`, 'False', '(1, 2, 2)'), 'has 3 dimensions'],
    ['no numbers in a row', dict(`'<f4'`, 'False', '(2, 0)'), 'vectors of no numbers'],
    ['fewer numbers than announced', dict(`'<f4'`, 'False', '(3, 2)'), 'where 3 x 2 numbers take'],
    ['more numbers than announced', dict(`'<f4'`, 'False', '(1, 2)'), 'where 1 x 2 numbers take'],
    ['no header', 'hello', 'names no type'],
  ])('that is none of ours is refused: %s', async (_, header, message) => {
    const store = fresh()
    const err = await refused('import', store, npy(header, floats))
    expect(err).toContain('INVALID_ARGUMENT')
    expect(err).toContain(message)
    expect(readdirSync(folder)).not.toContain(store)
  })

  it('is refused with ids that are no UTF-8, and by the row that is not finite', async () => {
    const good = npy(dict(`'<f4'`, 'False', '(2, 2)'), floats)
    const ids = fresh('.txt')
    writeFileSync(at(ids), Buffer.from([0x61, 10, 0xff, 10]))
    expect(await refused('import', fresh(), good, '--ids', ids)).toContain(`${ids} is no UTF-8`)
    const bad = npy(dict(`'<f8'`, 'False', '(2, 2)'), new Uint8Array(Float64Array.of(1, 0, 0, 1e300).buffer))
    expect(await refused('import', fresh(), bad)).toContain('row 1: number 1 is Infinity')
    writeFileSync(at('short.npy'), 'x')
    expect(await refused('import', fresh(), 'short.npy')).toContain('is no .npy file')
    expect(await refused('import', fresh(), npy(dict(`'<f4'`, 'False', '(2, 2)'), floats, 9))).toContain('version 9')
  })
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
