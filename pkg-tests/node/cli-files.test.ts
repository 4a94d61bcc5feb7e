// The files that the command line reads and writes: exports and matrices.
import { spawn } from 'node:child_process'
import { lstatSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { at, cli, everything, fine, folder, fresh, program, random, refused, write } from './cli-runner'

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
    // If the signal comes too late, the file is complete.
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
