import { afterAll, describe, expect, it } from 'vitest'
import spec from '../../docs/spec/recovery.md?raw'
import { check, tableIn, type Names } from '../common/damage'
import type { Tasks } from './damage-worker'

const worker = new Worker(new URL('./damage-worker.ts', import.meta.url), { type: 'module' })
const answer = () =>
  new Promise<unknown>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<{ ok?: unknown; error?: string }>) =>
      data.error ? reject(new Error(data.error)) : resolve(data.ok)
    worker.onerror = (event) => reject(new Error(event.message))
  })
await answer()
await ask('clear')
function ask<T extends keyof Tasks>(task: T, ...args: Parameters<Tasks[T]>) {
  worker.postMessage([task, ...args])
  return answer() as ReturnType<Tasks[T]>
}
afterAll(async () => {
  await ask('clear')
  worker.terminate()
})

const KINDS: ['opfs' | 'indexeddb', Names][] = [
  ['opfs', { called: (file) => (file === 'head' ? file : `${file}.0`) }],
  // The row in `meta` changes with each opening: it names the last opener and counts cuts.
  ['indexeddb', { called: (file) => file, written: 'meta' }],
]
for (const [kind, names] of KINDS) {
  const { calls, rows } = await ask('make', kind)
  const table = tableIn(spec, `damage:${kind}`)
  describe(kind, () => {
    it('the table in the specification has the calls and states that are tested here', () => {
      expect(calls).toEqual(table.calls)
      expect(rows.map((row) => row.join(' '))).toEqual([...table.ends.keys()])
    })

    it.each(rows)('%s %s: no call changes a byte that the table does not allow', async (file, state) => {
      const facts = await ask('facts', kind, file, state)
      check(expect, names, facts, file, state)
      expect(facts.map(({ end }) => end).join(' | ')).toBe(table.ends.get(`${file} ${state}`)?.join(' | '))
    })
  })
}
