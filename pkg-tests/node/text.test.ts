import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { textSuite } from '../common/text'

const root = mkdtempSync(join(tmpdir(), 'nidus-text-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

let n = 0
textSuite('memory', { fresh: () => `t${n++}`, options: () => ({ storage: 'memory' }), again: false })
textSuite('fs', { fresh: () => join(root, `s${n++}`), options: () => ({}), again: true })
textSuite('fs in compact memory', {
  fresh: () => join(root, `c${n++}`),
  options: () => ({ memory: 'compact' }),
  again: true,
})
textSuite('fs with search workers', {
  fresh: () => join(root, `w${n++}`),
  options: () => ({ workers: 2 }),
  again: true,
})
