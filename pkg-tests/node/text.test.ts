import { join } from 'node:path'
import { temporaryFolder } from '../common/folder'
import { textSuite } from '../common/text'

const root = temporaryFolder('text')

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
