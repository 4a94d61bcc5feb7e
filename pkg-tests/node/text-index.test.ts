import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import { TextIndex } from 'nidus-wasm/text'
import { CASES, KEPT } from '../common/text-index'

const root = mkdtempSync(join(tmpdir(), 'nidus-text-index-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

describe('TextIndex, files', () => {
  for (const [i, [name, run]] of [...CASES, ...KEPT].entries())
    it(name, () => run((path, options) => TextIndex.open(path, options), join(root, `${i}`)))
})

describe('TextIndex, memory', () => {
  for (const [i, [name, run]] of CASES.entries())
    it(name, () => run((path, options) => TextIndex.open(path, { store: { storage: 'memory' }, ...options }), `m${i}`))
})
