// The first search after a store was opened from its files, when no codes are made yet, beside scans of all f32.
import { rmSync } from 'node:fs'
import { scratch, specOf } from '../data/files.mjs'
import { median } from '../data/statistics.mjs'
import { within } from '../runtimes/within.mjs'

/**
 * Opens a store `rounds` times and asks it one question each time. In between, `scans` answer the same question. Returns
 * the medians in milliseconds: `ms` of the first searches, and those of each scan by id. `coded` is the greatest number
 * of rows that had codes right after such a search.
 */
export async function firstSearches({ runtime, input, size, scans, check, rounds }) {
  const dir = scratch('first')
  const clear = () => rmSync(dir, { recursive: true, force: true })
  clear()
  const place = runtime.inPage ? { name: 'bench-first', storage: 'opfs' } : { name: dir, storage: 'fs' }
  const store = { ...place, durability: 'relaxed' }
  const spec = { ...specOf(input, size, runtime.inPage, 'asked'), store }
  const lanes = scans.filter(({ scan }) => scan)
  const seen = { ms: [], open: [], coded: [], ...Object.fromEntries(lanes.map(({ id }) => [id, []])) }
  try {
    await within(runtime.channel(), async ({ call }) => {
      await call('open', { file: 'nidus', name: 'default', input: spec })
      await call('build')
      await call('release')
      for (let which = 0; which < rounds; which++) {
        const { first, open, coded, answer } = await call('reopened', { which })
        check({ id: 'first', label: 'nidus-wasm, right after opening,' }, answer)
        seen.ms.push(first)
        seen.open.push(open)
        seen.coded.push(coded)
        for (const { id, channel, others } of lanes) {
          const { times } = await channel.call('search', { order: [...others.slice(0, 3), which] })
          seen[id].push(times.at(-1))
        }
      }
    })
  } finally {
    clear()
  }
  const medians = Object.fromEntries(Object.entries(seen).map(([name, values]) => [name, median(values)]))
  return { ...medians, coded: Math.max(...seen.coded), storage: store.storage }
}
