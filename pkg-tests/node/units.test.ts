import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { coreError, packError, storageError, unpackError, NidusError } from '../../src/ts/errors/errors'
import { encodeFilter } from '../../src/ts/arguments/filter'
import { crc32 } from '../../src/ts/format/crc32'
import { HEAD_SIZE, decodeHead, encodeSlot, slotOffset } from '../../src/ts/hosts/opfs/head'
import { keep, poster } from '../../src/ts/messages/poster'
import { Reader, Writer, batchCuts } from '../../src/ts/core/wire'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const str = (text: string) =>
  `${Buffer.from(text).length.toString(16).padStart(2, '0')}00000000000000${Buffer.from(text).toString('hex')}`

describe('filters on the wire', () => {
  const int = (n: number) => `02000000${n.toString(16).padStart(2, '0')}00000000000000`
  const cases: [object | undefined, string][] = [
    [undefined, ''],
    [{}, ''],
    [{ a: 1 }, `03${str('a')}${int(1)}`],
    [{ a: { $ne: 1 } }, `00 02000000 08${str('a')} 02 03${str('a')}${int(1)}`],
    [{ a: { $nin: [1] } }, `00 02000000 08${str('a')} 02 04${str('a')} 01000000 ${int(1)}`],
    [{ a: { $gt: 1, $lte: 2 } }, `00 02000000 05${str('a')}00${int(1)} 05${str('a')}03${int(2)}`],
    [{ a: null, b: true }, `00 02000000 03${str('a')}00000000 03${str('b')}03000000 01`],
    [{ $or: [{ a: 1 }, {}] }, `01 02000000 03${str('a')}${int(1)} 00 00000000`],
    [{ $not: { a: { $exists: false } } }, `02 02 08${str('a')}`],
    [{ a: { $not: { $glob: '*' } } }, `02 06${str('a')}${str('*')}`],
    [{ a: { $contains: 'x' } }, `07${str('a')}${str('x')}`],
    [{ a: { $iglob: 'x' } }, `09${str('a')}${str('x')}`],
    [{ a: { $startsWith: 'x' } }, `0a${str('a')}${str('x')}`],
    [{ a: { $icontains: 'x' } }, `0b${str('a')}${str('x')}`],
    [{ a: { $containsAny: ['x', ''] } }, `0c${str('a')} 02000000 ${str('x')}${str('')}`],
    [{ a: { $containsAll: [] } }, `0d${str('a')} 00000000`],
  ]
  it.each(cases)('%j', (filter, wire) => expect(hex(encodeFilter(filter))).toBe(wire.replaceAll(' ', '')))

  it('takes strings and arrays of strings where they are meant, and limits their lengths', () => {
    const operand = (operator: string, value: unknown) => () => encodeFilter({ a: { [operator]: value } })
    const long = 'x'.repeat(1025)
    for (const operator of ['$glob', '$iglob', '$startsWith', '$contains', '$icontains']) {
      for (const value of [1, null, ['x'], /x/, '\ud800'])
        expect(operand(operator, value), `${operator} ${value}`).toThrow(`filter's "a" ${operator}`)
      const limited = !['$startsWith', '$contains'].includes(operator)
      if (limited) {
        expect(operand(operator, long)).toThrow('has 1025 bytes, more than 1024')
        expect(operand(operator, 'é'.repeat(513))).toThrow('has 1026 bytes, more than 1024')
        expect(operand(operator, 'é'.repeat(512))).not.toThrow()
      }
      if (!limited) expect(operand(operator, long)).not.toThrow()
      expect(operand(operator, long.slice(1))).not.toThrow()
    }
    for (const operator of ['$containsAny', '$containsAll']) {
      for (const value of ['x', null, { 0: 'x' }]) expect(operand(operator, value)).toThrow('takes an array')
      for (const value of [[1], ['x', null], [, 'x'], [['x']], ['\ud800']])
        expect(operand(operator, value)).toThrow(`filter's "a" ${operator}[`)
      expect(operand(operator, Array(65_536).fill(''))).not.toThrow()
      expect(operand(operator, Array(65_537).fill(''))).toThrow('65536')
    }
    expect(() => encodeFilter({ a: { $in: Array(65_536).fill(1) }, b: { $containsAny: ['x'] } })).toThrow('65536')
    // A name that every object inherits is no operator.
    for (const name of ['toString', '__proto__', 'constructor'])
      expect(() => encodeFilter({ a: JSON.parse(`{"${name}": "x"}`) })).toThrow('unknown operator')
  })

  it('nests 64 deep and no deeper', () => {
    const nested = (depth: number): object => (depth === 1 ? { a: 1 } : { $not: nested(depth - 1) })
    expect(encodeFilter(nested(64)).length).toBeGreaterThan(64)
    expect(() => encodeFilter(nested(65))).toThrow('64 deep')
  })
})

describe('attributes on the wire', () => {
  it('are read back as they were written, also in a batch', () => {
    const writer = new Writer(1)
    const records: [string, object][] = [
      ['a', { s: 'é', n: -1, b: true, l: ['x', ''], f: 0.5, d: new Date(7), z: null }],
      ['', {}],
      ['c', { big: 2n ** 62n }],
    ]
    for (const [id, attrs] of records) {
      writer.str(id)
      writer.attrs(attrs, () => id)
    }
    const bytes = writer.finish()
    const reader = new Reader(bytes)
    for (const [id, attrs] of records) expect([reader.str(), reader.attrs()]).toEqual([id, attrs])
    expect(reader.done).toBe(true)
    const cuts = batchCuts(bytes, 3, 2)
    expect(cuts).toHaveLength(3)
    expect(new Reader(bytes.subarray(cuts[1])).str()).toBe('c')
    expect(cuts[2]).toBe(bytes.length)
  })

  it('have texts of any length and letters, and numbers of any size', () => {
    const texts = [0, 1, 7, 47, 48, 49, 100].flatMap((length) => {
      const plain = 'x'.repeat(length)
      return ['', '\u007f', '\u0080', 'é', '\uffff', '𝄞'].flatMap((letter) => [
        letter + plain,
        plain + letter,
        plain + letter + plain,
      ])
    })
    const numbers = [0, 1, 127, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40, 2 ** 53 - 1].flatMap(
      (n) => (n ? [n, -n] : [n]),
    )
    const attrs = Object.fromEntries([
      ...texts.map((text, i) => [`t${i}`, text]),
      ...numbers.map((n, i) => [`n${i}`, n]),
      ['date', new Date(-1)],
    ])
    const writer = new Writer(1)
    for (const text of texts) writer.str(text)
    writer.attrs(attrs, () => 'what')
    for (const n of numbers) writer.value(n, () => 'what')
    const bytes = writer.finish()
    const reader = new Reader(bytes)
    for (const text of texts) expect(reader.str()).toBe(text)
    expect(reader.attrs()).toEqual(attrs)
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    for (const n of numbers) {
      expect(view.getBigInt64(reader.at + 4, true)).toBe(BigInt(n))
      expect(reader.value()).toBe(n)
    }
    for (const bad of ['\ud800', `${'x'.repeat(48)}\udc00`, `é${'x'.repeat(10)}\ud800`])
      expect(() => writer.str(bad, () => 'this')).toThrow('this holds a lone surrogate')
    expect(() => writer.str(7, () => 'this')).toThrow('this must be a string, not 7')
  })
})

describe('the head of an OPFS store', () => {
  const head = (...generations: number[]) => {
    const bytes = new Uint8Array(HEAD_SIZE)
    for (const generation of generations) bytes.set(encodeSlot(generation), slotOffset(generation))
    return bytes
  }
  it('is the newest whole slot', () => {
    expect(decodeHead(head())).toBeUndefined()
    expect(decodeHead(new Uint8Array(0))).toBeUndefined()
    expect(decodeHead(head(0))).toBe(0)
    expect(decodeHead(head(0, 1))).toBe(1)
    expect(decodeHead(head(8, 7))).toBe(8)
    expect(decodeHead(head(2 ** 40 + 1, 2 ** 40))).toBe(2 ** 40 + 1)
    expect(decodeHead(head(0).subarray(0, 512))).toBe(0)
  })
  it('is the other slot if one slot is damaged in any way', () => {
    for (let at = 512; at < 512 + 20; at++) {
      const halfWritten = head(6, 7)
      halfWritten[at]! ^= 1
      expect(decodeHead(halfWritten)).toBe(6)
    }
    const swapped = new Uint8Array(HEAD_SIZE)
    swapped.set(encodeSlot(9), 0)
    expect(decodeHead(swapped)).toBeUndefined()
  })
  it('has the checksum CRC-32', () => expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926))
})

describe('errors', () => {
  const named = (name: string) => Object.assign(new Error('text'), { name })
  it('get their code from the error of the storage', () => {
    expect(storageError(named('QuotaExceededError'), 'x').code).toBe('QUOTA_EXCEEDED')
    expect(storageError(Object.assign(new Error(), { code: 'EDQUOT' }), 'x').code).toBe('QUOTA_EXCEEDED')
    expect(storageError(named('NoModificationAllowedError'), 'x', true).code).toBe('LOCKED')
    for (const name of ['SecurityError', 'UnknownError', 'NotSupportedError', 'NotAllowedError'])
      expect(storageError(named(name), 'x', true).code).toBe('STORAGE_UNAVAILABLE')
    expect(storageError(named('SecurityError'), 'x').code).toBe('STORAGE_FAILED')
    expect(storageError('a string', 'x').code).toBe('STORAGE_FAILED')
    expect(coreError(new WebAssembly.RuntimeError('unreachable')).code).toBe('FAILED')
    expect(coreError(Object.assign(new Error('m'), { code: 'CORRUPT' })).code).toBe('CORRUPT')
    expect(coreError(Object.assign(new Error('m'), { code: 'ENOENT' })).code).toBe('FAILED')
  })
  it('keep code, text and cause between threads', () => {
    const there = unpackError(structuredClone(packError(new NidusError('LOCKED', 'why', { cause: named('Late') }))))
    expect(there).toBeInstanceOf(NidusError)
    expect(there).toMatchObject({
      code: 'LOCKED',
      message: 'why',
      name: 'NidusError',
      cause: { name: 'Late', message: 'text' },
    })
    expect(new Error('x')).not.toBeInstanceOf(NidusError)
  })
})

describe('messages', () => {
  it('of one turn are sent as one, each buffer once, and one that cannot be sent fails alone', async () => {
    const sent: [unknown[], Transferable[]][] = []
    const post = poster({
      postMessage(message, transfer) {
        if ((message as { bad?: boolean }[]).some(({ bad }) => bad)) throw new Error('cannot')
        sent.push([message as unknown[], transfer])
      },
    })
    const buffer = new ArrayBuffer(8)
    await Promise.all([post({ a: [new Uint8Array(buffer, 0, 4)] }), post({ b: { c: new Uint8Array(buffer, 4) } })])
    expect(sent).toHaveLength(1)
    expect(sent[0]![0]).toHaveLength(2)
    expect(sent[0]![1]).toEqual([buffer])
    const again = { query: new Float32Array(2) }
    keep(again)
    await Promise.all([post({ args: again }), post({ a: [new Uint8Array(buffer)] })])
    expect(sent[1]).toEqual([[{ args: again }, { a: [new Uint8Array(buffer)] }], [buffer]])
    const settled = await Promise.allSettled([post({ bad: true }), post({ good: true })])
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  })
})

describe('codes that the core answers with', () => {
  /** Returns the names and numbers of an enum, from a source in Rust or in TypeScript. */
  const membersOf = (file: string, name: string) => {
    const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
    const body = new RegExp(`\\benum ${name} \\{([^}]*)\\}`).exec(source)?.[1]
    expect(body, `the enum ${name} in ${file}`).toBeDefined()
    const lines = body!.split('\n').map((line) => line.trim())
    return lines
      .filter((line) => line && !/^\/[/*]/.test(line))
      .map((line) => {
        const member = /^(\w+) = (-?\d+),$/.exec(line)
        expect(member, `${file}: ${line}`).not.toBeNull()
        return [member![1], Number(member![2])]
      })
  }
  it.each([
    ['Step', 'src/segment/supplied.rs'],
    ['NoReceipt', 'src/bindings/store.rs'],
  ])('%s has the same names and numbers in Rust and in TypeScript', (name, rust) => {
    const members = membersOf(rust, name)
    expect(members).toHaveLength(3)
    expect(membersOf('src/ts/core/steps.ts', name)).toEqual(members)
  })
})
