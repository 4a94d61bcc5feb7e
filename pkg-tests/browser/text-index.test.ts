import { describe, it } from 'vitest'
import { TextIndex } from 'nidus-wasm/text'
import { KEPT } from '../common/text-index-cases'

describe.each(['opfs', 'indexeddb'] as const)('TextIndex, %s', (storage) => {
  for (const [i, [name, run]] of KEPT.entries())
    it(name, () =>
      run((path, options) => TextIndex.open(path, { store: { storage }, ...options }), `texts ${Date.now()} ${i}`),
    )
})
