import { describe, it } from 'vitest'
import { TextIndex } from 'nidus-wasm/text'
import { CASES, KEPT } from '../common/text-index'
import { OUTSIDE_KEPT } from '../common/text-index-kept'
import { OUTSIDE } from '../common/text-index-outside'
import { STORING, STORING_KEPT } from '../common/text-index-storing'

describe.each(['opfs', 'indexeddb'] as const)('TextIndex, %s', (storage) => {
  for (const [i, [name, run]] of [
    ...CASES,
    ...KEPT,
    ...OUTSIDE,
    ...OUTSIDE_KEPT,
    ...STORING,
    ...STORING_KEPT,
  ].entries())
    it(name, () =>
      run((path, options) => TextIndex.open(path, { store: { storage }, ...options }), `texts ${Date.now()} ${i}`),
    )
})
