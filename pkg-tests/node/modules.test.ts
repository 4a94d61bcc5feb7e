// The wasm modules are made from one source. These tests show which one a runtime loads, and how they differ.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import binaryen from 'binaryen'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../common/folder'
import { RUNTIMES } from '../kill/processes.mjs'

const dist = fileURLToPath(new URL('../../dist', import.meta.url))
const root = temporaryFolder('modules')

/** Returns the instructions of a module that may give different results on different machines. */
function relaxed(name: string): string[] {
  const module = binaryen.readBinary(readFileSync(join(dist, name)))
  try {
    return [...new Set(module.emitText().match(/\b[if]\d+x\d+\.(?:relaxed_\w+|dot_i8x16\w*)/g) ?? [])]
  } finally {
    module.dispose()
  }
}

describe('the modules', () => {
  it('differ in one instruction, and no other relaxed instruction is in them', () => {
    for (const name of ['nidus', 'nidus-page', 'nidus-first', 'nidus-rest', 'nidus-codes'])
      expect(relaxed(`${name}.wasm`)).toEqual([])
    for (const name of ['nidus-first', 'nidus-rest']) expect(relaxed(`${name}-relaxed.wasm`)).toEqual([])
    for (const name of ['nidus', 'nidus-codes']) {
      const found = relaxed(`${name}-relaxed.wasm`)
      expect(found).toHaveLength(1)
      expect(found[0]).toMatch(/^i32x4\.(relaxed_)?dot_i8x16_i7x16_add_s$/)
    }
  })

  it('export the names that the shared glue code uses', () => {
    const names = (name: string) => {
      // binaryen reads the module. Node 20 could not compile it, because it does not know the relaxed instruction.
      const module = binaryen.readBinary(readFileSync(join(dist, name)))
      const all = Array.from(
        { length: module.getNumExports() },
        (_, i) => binaryen.getExportInfo(module.getExportByIndex(i)).name,
      ).sort()
      module.dispose()
      return all
    }
    expect(names('nidus-relaxed.wasm')).toEqual(names('nidus.wasm'))
    for (const behind of ['', '-relaxed']) {
      const parts = ['first', 'rest', 'codes'].map((name) => names(`nidus-${name}${behind}.wasm`))
      const shared = (name: string) => name.startsWith('~')
      const all = parts.flat().filter((name) => !shared(name))
      expect(all.sort()).toEqual(names('nidus-page.wasm'))
      const [mark, ...others] = parts[0]!.filter((name) => name.startsWith('~part '))
      expect(others).toEqual([])
      expect(mark).toMatch(behind ? /^~part relaxed [\da-f]{8}$/ : /^~part plain [\da-f]{8}$/)
      for (const part of parts.slice(1)) expect(part.filter(shared)).toEqual([mark])
    }
    expect(names('nidus-page.wasm').length).toBeGreaterThan(50)
    expect(names('nidus.wasm')).toEqual(expect.arrayContaining(names('nidus-page.wasm')))
    expect(names('nidus.wasm')).toContain('salvage_new')
    expect(names('nidus-page.wasm')).not.toContain('salvage_new')
  })

  it('report which of them can salvage, search in threads and open segments', () => {
    const folder = mkdtempSync(join(root, 'dist-'))
    cpSync(dist, folder, { recursive: true })
    writeFileSync(
      join(folder, 'try.mjs'),
      `
      import { readFileSync } from 'node:fs'
      import { Nidus } from './node.js'
      import { init } from './segment-node.js'
      const wasm = readFileSync(new URL('./nidus-page.wasm', import.meta.url))
      const told = (work) =>
  work.then(
    () => 'worked',
    ({ code, message }) => code + (message.includes('nidus.wasm') ? ' names nidus.wasm' : ' ' + message),
  )
      const db = await Nidus.open('x', { storage: 'memory', dimension: 2, wasm })
      await db.upsert('c', [{ id: 'a', vector: [1, 0], attrs: { n: 1 } }])
      const found = (await db.search([1, 0], { topK: 1, filter: { n: { $gt: 0 } } })).map(({ id }) => id)
      await db.compact()
      await db.close()
      const workers = await told(Nidus.open('y', { storage: 'memory', dimension: 2, workers: 2 }))
      const salvage = await told(Nidus.salvage('from', 'into'))
      console.log(JSON.stringify({ found, workers, salvage, segment: await told(init()) }))`,
    )
    const said = JSON.parse(execFileSync(process.execPath, [join(folder, 'try.mjs')], { encoding: 'utf8' })) as object
    const refused = 'UNSUPPORTED names nidus.wasm'
    expect(said).toEqual({ found: ['a'], workers: refused, salvage: refused, segment: refused })
  })
})

/** Four products of 127 and 255, or of 127 and -1, added without saturation. */
const EXACT = [4 * 127 * 255, 4 * 127 * -1]

describe.each(Object.entries(RUNTIMES).flatMap(([name, command]) => (command() ? [[name, command()!] as const] : [])))(
  'in %s',
  (name, command) => {
    const takes = name !== 'node' || Number(process.versions.node.split('.')[0]) >= 23
    /** `sum`: what the processor answers to the probe in core/load.ts. */
    const opens = (change: (folder: string) => void, sum = EXACT[1]) => {
      const folder = mkdtempSync(join(root, 'dist-'))
      cpSync(dist, folder, { recursive: true })
      change(folder)
      writeFileSync(
        join(folder, 'try.mjs'),
        `
      const { Instance } = WebAssembly
      WebAssembly.Instance = function (...given) {
        const instance = new Instance(...given)
        return Object.keys(instance.exports).join() === 'f' ? { exports: { f: () => ${sum} } } : instance
      }
      const { Nidus } = await import('./node.js')
      const opened = await Nidus.open('x', { storage: 'memory', dimension: 4 }).then(
  (db) => db.close().then(() => 'opened'),
  (error) => error.code,
)
      console.log(opened)`,
      )
      return execFileSync(command[0]!, [...command.slice(1), join(folder, 'try.mjs')], {
        encoding: 'utf8',
        env: { ...process.env, NO_COLOR: '1' },
      }).trim()
    }

    it(`the ${takes ? 'relaxed' : 'plain'} module is loaded if the processor multiplies bytes`, () => {
      for (const sum of EXACT)
        expect(opens((folder) => rmSync(join(folder, 'nidus.wasm')), sum)).toBe(takes ? 'opened' : 'FAILED')
    })

    it('the plain module is loaded if products are added in pairs first', () => {
      expect(opens((folder) => rmSync(join(folder, 'nidus.wasm')), 2 * 32_767)).toBe('FAILED')
    })

    it('the plain module is loaded if the other one is missing or broken', () => {
      expect(opens((folder) => rmSync(join(folder, 'nidus-relaxed.wasm')))).toBe('opened')
      expect(opens((folder) => writeFileSync(join(folder, 'nidus-relaxed.wasm'), '<!doctype html>'))).toBe('opened')
    })
  },
)
