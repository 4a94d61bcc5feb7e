// The command line as users start it: a process, its output, its exit code.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Nidus } from 'nidus-wasm'
import { beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../common/folder'

const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const folder = temporaryFolder('cli')
const at = (...parts: string[]) => join(folder, ...parts)
const D = 8

function cli(...args: string[]) {
  return new Promise<{ code: number; out: string; err: string }>((resolve) =>
    execFile(process.execPath, [program, ...args], { cwd: folder, maxBuffer: 1 << 26 }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    ),
  )
}
const asked = async (...args: string[]) => {
  const { code, out, err } = await cli(...args, '--json')
  expect(err).toBe('')
  return { code, answer: JSON.parse(out) }
}

/** Returns for each file its name, the time of its last change and the hash of its bytes. */
const print = (dir: string) =>
  readdirSync(dir)
    .sort()
    .map(
      (name) =>
        `${name} ${statSync(join(dir, name)).mtimeMs} ${createHash('sha256')
          .update(readFileSync(join(dir, name)))
          .digest('hex')}`,
    )

const random = (seed: number) => () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32
const vector = (n: number) => Array.from({ length: D }, (_, i) => Math.fround(Math.sin((n + 1) * (i + 3))))

beforeAll(async () => {
  const db = await Nidus.open(at('store'), { dimension: D })
  for (let n = 0; n < 40; n += 8) {
    await db.upsert(
      'notes',
      Array.from({ length: 8 }, (_, i) => ({
        id: `n${n + i}`,
        vector: vector(n + i),
        attrs: { n: n + i, tag: ['a', 'b'], big: 2n ** 60n },
      })),
    )
  }
  await db.setMeta('notes', { model: 'none' })
  await db.delete('notes', ['n3', 'n4'])
  await db.close()
})

describe('the command line', () => {
  it('shows what is in a store without changing a byte of it', async () => {
    const before = print(at('store'))
    const { code, answer } = await asked('inspect', 'store')
    expect(code).toBe(0)
    expect(answer).toMatchObject({
      dimension: D,
      rows: 40,
      deadRows: 2,
      docCount: 38,
      readableBy: '0.3.0',
      collections: [{ name: 'notes', documents: 38, meta: { model: 'none' } }],
    })
    expect((await cli('inspect', 'store')).out).toMatch(/^dimension +8\ndocuments +38\n/)
    expect((await asked('verify', 'store')).answer).toMatchObject({ clean: true, documents: 38, findings: [] })
    const found = await asked(
      'search',
      'store',
      '--vector',
      JSON.stringify(vector(7)),
      '--top',
      '3',
      '--filter',
      '{"n":{"$lt":30}}',
    )
    const db = await Nidus.open(at('store'), { readOnly: true })
    expect(found.answer).toEqual(
      JSON.parse(
        JSON.stringify(await db.search(vector(7), { topK: 3, filter: { n: { $lt: 30 } } }), (_, value) =>
          typeof value === 'bigint' ? { $int: `${value}` } : value,
        ),
      ),
    )
    await db.close()
    expect((await asked('search', 'store', '--like', 'n9', '--top', '1')).answer[0].id).toBe('n9')
    expect((await cli('export', 'store', at('copy.tar'))).code).toBe(0)
    expect(print(at('store'))).toEqual(before)
  })

  it('exports a store and imports it again unchanged', async () => {
    expect((await asked('import', 'again', 'copy.tar')).answer).toMatchObject({ documents: 38 })
    for (const name of ['data', 'log'])
      expect(readFileSync(at('again', name)).equals(readFileSync(at('store', name)))).toBe(true)
    expect((await asked('import', 'again', 'copy.tar')).answer.error.code).toBe('ALREADY_EXISTS')
    expect((await asked('import', 'again', 'store', '--replace')).code).toBe(0)
    expect((await asked('compact', 'again')).answer).toMatchObject({ deadRows: 2 })
    expect((await cli('compact', 'again')).out).toBe('nothing to do: no dead rows\n')
    expect((await asked('inspect', 'again')).answer).toMatchObject({ rows: 38, deadRows: 0 })
    const piped = await new Promise<Buffer>((resolve) =>
      execFile(process.execPath, [program, 'export', 'store', '-'], { cwd: folder, encoding: 'buffer' }, (_, out) =>
        resolve(out),
      ),
    )
    expect(piped.equals(readFileSync(at('copy.tar')))).toBe(true)
  })

  it('reads and writes lines of JSON', async () => {
    expect((await cli('export', 'store', 'out.jsonl')).code).toBe(0)
    const lines = readFileSync(at('out.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.slice(0, 2)).toEqual([{ dimension: D }, { collection: 'notes', meta: { model: 'none' } }])
    expect(lines.slice(2)).toHaveLength(38)
    expect((await asked('import', 'lines', 'out.jsonl', '--batch', '7')).answer).toMatchObject({ documents: 38 })
    expect((await asked('inspect', 'lines')).answer.collections).toEqual([
      { name: 'notes', documents: 38, meta: { model: 'none' } },
    ])
    writeFileSync(at('bad.jsonl'), '{"id":"a","vector":[1,2]}\n\n{"id":"b","vector":[1]}\n')
    const { code, err } = await cli('import', 'bad', 'bad.jsonl')
    expect([code, err]).toEqual([
      3,
      'nidus-wasm: DIMENSION_MISMATCH: bad.jsonl, line 3: the vector has 1 numbers, those before it 2\n',
    ])
    writeFileSync(at('worse.jsonl'), '{"id":5}\n')
    expect((await cli('import', 'bad', 'worse.jsonl')).err).toContain('worse.jsonl, line 1: "id" must be a string')
    expect(existsSync(at('bad'))).toBe(false)
  })

  it('reads matrices as NumPy writes them', async () => {
    const header = (text: string) => {
      const padded = text.padEnd(Math.ceil((10 + text.length + 1) / 64) * 64 - 11) + '\n'
      return Buffer.concat([
        Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, padded.length & 255, padded.length >> 8]),
        Buffer.from(padded),
      ])
    }
    const rows = 5
    const floats = Float64Array.from({ length: rows * D }, (_, i) => vector(Math.floor(i / D))[i % D]!)
    writeFileSync(
      at('f4.npy'),
      Buffer.concat([
        header(`{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${D}), }`),
        Buffer.from(Float32Array.from(floats).buffer),
      ]),
    )
    writeFileSync(
      at('f8.npy'),
      Buffer.concat([
        header(`{'descr': '<f8', 'fortran_order': False, 'shape': (${rows}, ${D}), }`),
        Buffer.from(floats.buffer),
      ]),
    )
    writeFileSync(at('ids.txt'), 'a\nb\nc\nd\ne\n')
    expect(
      (await asked('import', 'npy', 'f4.npy', '--ids', 'ids.txt', '--collection', 'four', '--batch', '2')).answer,
    ).toMatchObject({ documents: rows })
    expect((await asked('import', 'npy', 'f8.npy', '--collection', 'eight')).answer).toMatchObject({ documents: rows })
    const db = await Nidus.open(at('npy'), { readOnly: true })
    const [four] = await db.get('four', ['c'])
    const [eight] = await db.get('eight', ['2'])
    await db.close()
    expect(four!.vector).toEqual(eight!.vector)
    writeFileSync(at('ids.txt'), 'a\nb\n')
    expect((await cli('import', 'npy', 'f4.npy', '--ids', 'ids.txt')).err).toContain('ids.txt has 2 ids for 5 rows')
    for (const [name, text] of [
      ['i8', `{'descr': '<i8', 'fortran_order': False, 'shape': (5, 8), }`],
      ['fortran', `{'descr': '<f4', 'fortran_order': True, 'shape': (5, 8), }`],
      ['long', `{'descr': '<f4', 'fortran_order': False, 'shape': (500000000, 8), }`],
    ]) {
      writeFileSync(at(`${name}.npy`), header(text!))
      expect((await cli('import', 'npy', `${name}.npy`)).err).toContain('INVALID_ARGUMENT')
    }
  })

  it('explains a wrong call, and ends with exit code 2', async () => {
    const { code: alone, out: nothing, err: usage } = await cli()
    expect([alone, nothing, usage]).toEqual([2, '', (await cli('--help')).out.replace(/\n$/, '')])
    for (const args of [
      ['frob', 'x'],
      ['inspect'],
      ['search', 'store'],
      ['search', 'store', '--vector', 'no'],
      ['search', 'store', '--vector', '[1]', '--top', '0'],
      ['import', 'store'],
      ['inspect', 'store', '--frob'],
    ]) {
      const { code, err } = await cli(...args)
      expect([code, err], args.join(' ')).toEqual([2, expect.stringMatching(/^nidus-wasm: .+\n\nnidus-wasm --help/s)])
    }
    expect((await cli('--help')).out).toContain('verify DIR')
    expect((await cli('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect((await asked('inspect', 'nowhere')).answer.error.code).toBe('NOT_FOUND')
    expect(existsSync(at('nowhere'))).toBe(false)
  })

  it('finds every damage that the format can show, and its place', async () => {
    const log = readFileSync(at('store/log'))
    const data = readFileSync(at('store/data'))
    const frames: [from: number, to: number][] = []
    for (let from = 0; from < log.length; from = frames.at(-1)![1])
      frames.push([from, from + log.readUInt32LE(from) + 8])
    const next = random(2026)
    // NIDUS_DAMAGES=1000 tries a thousand.
    const cases = Number(process.env.NIDUS_DAMAGES ?? 40)
    const work = Array.from({ length: cases }, (_, n) => ({
      n,
      inLog: n % 2 === 0,
      byte: next(),
      flip: 1 << Math.floor(next() * 8),
      row: next(),
    }))
    const one = async ({ n, inLog, byte, flip, row }: (typeof work)[0]) => {
      const dir = `damaged-${n}`
      cpSync(at('store'), at(dir), { recursive: true })
      const bytes = Buffer.from(inLog ? log : data)
      // In the data, the format can show only some damage: of the header's fields, and of a row whose length changes.
      // So the test flips a high bit of a number.
      const place = inLog
        ? Math.floor(byte * log.length)
        : n % 4 === 1
          ? Math.floor(byte * 12)
          : 64 + 4 * Math.floor((row * (data.length - 64)) / 4) + 3
      bytes[place]! ^= inLog || n % 4 === 1 ? flip : 0x40
      writeFileSync(at(dir, inLog ? 'log' : 'data'), bytes)
      const { code, answer } = await asked('verify', dir)
      rmSync(at(dir), { recursive: true })
      const dead = !inLog && place >= 64 && [3, 4].includes(Math.floor((place - 64) / (4 * D)))
      // Damage does not matter in a row that no document has.
      if (dead) return expect(code).toBe(0)
      expect([code, answer.clean], `${inLog ? 'log' : 'data'} ${place}`).toEqual([1, false])
      const [from, to] = frames.find(([, to]) => place < to)!
      if (inLog && to < log.length && answer.findings[0].offset !== undefined) {
        const { offset, length } = answer.findings[0]
        expect(
          offset <= place && place < offset + length,
          `${place} in ${from}..${to}: ${JSON.stringify(answer.findings)}`,
        ).toBe(true)
      }
    }
    while (work.length) await Promise.all(work.splice(0, 4).map(one))
  })
})
