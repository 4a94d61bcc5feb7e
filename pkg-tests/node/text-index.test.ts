import { join } from 'node:path'
import { describe, it } from 'vitest'
import { TextIndex } from 'nidus-wasm/text'
import { temporaryFolder } from '../common/folder'
import { CASES, KEPT } from '../common/text-index'

const root = temporaryFolder('text-index')

describe('TextIndex, files', () => {
  for (const [i, [name, run]] of [...CASES, ...KEPT].entries())
    it(name, () => run((path, options) => TextIndex.open(path, options), join(root, `${i}`)))
})

describe('TextIndex, memory', () => {
  for (const [i, [name, run]] of CASES.entries())
    it(name, () => run((path, options) => TextIndex.open(path, { store: { storage: 'memory' }, ...options }), `m${i}`))
})
