import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { listSuite } from '../common/lists'

const root = mkdtempSync(join(tmpdir(), 'nidus-lists-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

let n = 0
listSuite('memory', { fresh: () => `l${n++}`, options: () => ({ storage: 'memory' }), again: false })
listSuite('fs in compact memory', {
  fresh: () => join(root, `c${n++}`),
  options: () => ({ memory: 'compact' }),
  again: true,
})
