import { join } from 'node:path'
import { temporaryFolder } from '../common/folder'
import { listSuite } from '../common/lists'

const root = temporaryFolder('lists')

let n = 0
listSuite('memory', { fresh: () => `l${n++}`, options: () => ({ storage: 'memory' }), again: false })
listSuite('fs in compact memory', {
  fresh: () => join(root, `c${n++}`),
  options: () => ({ memory: 'compact' }),
  again: true,
})
