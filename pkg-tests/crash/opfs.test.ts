import { describe, it } from 'vitest'
import { EVERY_CASE } from '../common/model'
import { expectCaught, expectedOf } from './explore'
import { importTrace, throughImport } from './import'
import { opfs } from './opfs-host'
import { makePlan, statesOf } from './plan'
import { browsers } from './record'
import { flushOf, through, traceOf } from './through'

describe('the OPFS host over simulated files', () => {
  it('keeps what it acknowledged', async () => {
    await through('opfs host in Node', opfs, await traceOf(opfs, 3, 14), 3)
  })

  it('imports all of it or nothing', () => throughImport('opfs host in Node', opfs, 21))

  it('an import without one of its flushes is caught', async () => {
    const { events, states } = await importTrace(opfs, 21, true)
    await expectCaught(opfs, events, states, [
      ['flushes of the new data', flushOf(events, 'data.1')],
      ['flushes of the new log', flushOf(events, 'log.1')],
      ['flushes of the head', flushOf(events, 'head')],
    ])
  })
})

describe.each(browsers)('OPFS in $name, its calls recorded', ({ name, record, missing }) => {
  it.skipIf(missing)('keeps what it acknowledged', async () => {
    await through(`opfs in ${name}`, opfs, await record(makePlan(5, 14)), 5)
  })

  // Both browsers run the same code, and the calls that were recorded in each are explored above.
  it.skipIf(missing || (name !== 'Chromium' && !EVERY_CASE))(
    'a write without one of its flushes is caught',
    async () => {
      const { events, plan } = await record(makePlan(6, 8))
      await expectCaught(opfs, events, expectedOf(statesOf(plan)), [
        ['flushes of data', flushOf(events, 'data.0')],
        ['flushes of the log', flushOf(events, 'log.0')],
        ['flushes of the compacted data', flushOf(events, 'data.1')],
        ['flushes of the compacted log', flushOf(events, 'log.1')],
        ['flushes of the head', flushOf(events, 'head')],
      ])
    },
  )
})
