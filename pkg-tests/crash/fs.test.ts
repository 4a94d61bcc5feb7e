import { afterAll, describe, it } from 'vitest'
import { expectCaught, expectedOf } from './explore'
import { nodeFs, removeAll } from './fs-host'
import { importTrace, throughImport } from './import'
import { statesOf } from './plan'
import { flushOf, through, traceOf } from './through'

afterAll(removeAll)

describe('the fs host with its recorded calls', () => {
  it('keeps what it acknowledged', async () => {
    await through('fs in Node', nodeFs, await traceOf(nodeFs, 1, 9), 1)
  })

  it('imports all of it or nothing', () => throughImport('fs in Node', nodeFs, 11))

  it('an import without one of its flushes is caught', async () => {
    const { events, states } = await importTrace(nodeFs, 11, true)
    await expectCaught(nodeFs, events, states, [
      ['flushes of the new data', flushOf(events, 'data.compacted')],
      ['flushes of the new log', flushOf(events, 'log.compacted')],
      ['syncs of names', ({ kind }) => kind === 'syncNames'],
    ])
  })

  it('a write without one of its flushes, a sync of names or the right order is caught', async () => {
    const { events, plan } = await traceOf(nodeFs, 1, 8)
    await expectCaught(nodeFs, events, expectedOf(statesOf(plan)), [
      ['flushes of data', flushOf(events, 'data')],
      ['flushes of the log', flushOf(events, 'log')],
      ['flushes of the compacted data', flushOf(events, 'data.compacted')],
      ['flushes of the compacted log', flushOf(events, 'log.compacted')],
      ['syncs of names', ({ kind }) => kind === 'syncNames'],
    ])
  })
})
