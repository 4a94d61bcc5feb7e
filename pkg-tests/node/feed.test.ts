import { describe, expect, it } from 'vitest'
import type { Changes, Cursor } from '../../src/ts/contract/changes'
import { encodeIds, Reader } from '../../src/ts/core/wire'
import { Feed, type Made } from '../../src/ts/engine/feed'
import { EVERY_CASE, random } from '../common/model'

const made = (...ids: string[][]): Made[] =>
  ids.map((ids) => ({ method: 'upsert', collection: 'c', count: ids.length, from: undefined }))
const idsOf = ({ changes }: Changes) => changes.map(({ ids }) => ids && new Reader(ids).strings())
const told = async (answer: Changes | Promise<Changes>) => answer
const waits = async (answer: Changes | Promise<Changes>) =>
  (await Promise.race([answer, new Promise((resolve) => setImmediate(() => resolve('waits')))])) === 'waits'

/** Commits one group of changes. */
function commit(feed: Feed, ...ids: string[][]) {
  feed.made(made(...ids), () => encodeIds(ids.flat()))
  feed.tell()
}

describe('the feed of changes', () => {
  it('gives every listener each change once and in order, or tells it that it lost some', async () => {
    let resets = 0
    for (let seed = 1; seed <= (EVERY_CASE ? 200 : 10); seed++) {
      const r = random(seed)
      const feed = new Feed()
      // For each listener: what was committed before it began, and how much of the rest it was told.
      const listeners = new Map<string, { cursor: Cursor; from: number; next: number; asked?: Promise<Changes> }>()
      let count = 0
      const take = async (name: string) => {
        const own = listeners.get(name)!
        own.asked ??= told(feed.ask({ after: own.cursor, ids: r.next() < 0.5 }, name))
        if (await waits(own.asked)) return false
        const { changes, reset, next } = await own.asked
        own.asked = undefined
        own.cursor = next
        if (reset) {
          resets++
          expect(own.next).toBeLessThan(count)
          own.next = count
        }
        for (const { count: number } of changes) expect(number).toBe(own.next++ % 5)
        return true
      }
      for (let step = 0; step < 120; step++) {
        const name = r.pick(['a', 'b', 'c'])
        const own = listeners.get(name)
        if (r.next() < 0.1) {
          if (own) {
            await feed.ask({ end: true }, name)
            // If a question still waits, it is answered now.
            if (own.asked) expect((await own.asked).changes.length).toBeLessThanOrEqual(count - own.next)
            listeners.delete(name)
          }
        } else if (!own) {
          listeners.set(name, { cursor: (await feed.ask({ ids: true }, name)).next, from: count, next: count })
        } else if (r.next() < 0.5) await take(name)
        else {
          // Sometimes the group has more changes than a feed keeps for its listeners.
          const size = r.next() < 0.03 ? 9000 : r.int(4)
          const group = Array.from({ length: size }, (_, i) =>
            Array.from({ length: (count + i) % 5 }, (_, k) => `${count + i} ${k}`),
          )
          if (size === 0) continue
          commit(feed, ...group)
          count += size
        }
      }
      for (const name of listeners.keys()) while (await take(name));
      for (const { next } of listeners.values()) expect(next).toBe(count)
    }
    expect(resets).toBeGreaterThan(3)
  })

  it('asks for ids only if somebody wants them, and gives them to nobody else', async () => {
    const feed = new Feed()
    let asked = 0
    const group = (id: string) => {
      feed.made(made([id]), () => (asked++, encodeIds([id])))
      feed.tell()
    }
    group('nobody listens')
    const bare = (await feed.ask({}, 'bare')).next
    group('one')
    expect(asked).toBe(0)
    const full = (await feed.ask({ ids: true }, 'full')).next
    group('two')
    expect(asked).toBe(1)
    expect(idsOf(await feed.ask({ after: bare }, 'bare'))).toEqual([undefined, undefined])
    expect(idsOf(await feed.ask({ after: full, ids: true }, 'full'))).toEqual([['two']])
    await feed.ask({ end: true }, 'full')
    group('three')
    expect(asked).toBe(1)
  })

  it('keeps only some bytes for a listener that does not ask, and forgets it then', async () => {
    const feed = new Feed()
    const { next } = await feed.ask({ ids: true }, 'slow')
    const large = 'x'.repeat(1024 * 1024)
    let asked = 0
    for (let i = 0; i < 20; i++) {
      feed.made(made([large]), () => (asked++, encodeIds([large])))
      feed.tell()
    }
    expect(asked).toBeLessThan(10)
    const answer = await feed.ask({ after: next, ids: true }, 'slow')
    expect([answer.reset, answer.changes]).toEqual([true, []])
    commit(feed, ['after'])
    expect(idsOf(await feed.ask({ after: answer.next, ids: true }, 'slow'))).toEqual([['after']])
  })

  it('tells all who listen that it lost a change for whose ids there is no memory', async () => {
    const feed = new Feed()
    const one = feed.ask({ after: (await feed.ask({ ids: true }, 'one')).next, ids: true }, 'one')
    const two = feed.ask({ after: (await feed.ask({}, 'two')).next }, 'two')
    feed.made(made(['a']), () => {
      throw new Error('no memory')
    })
    expect(await waits(one)).toBe(true)
    feed.tell()
    for (const answer of [await one, await two]) expect([answer.reset, answer.changes]).toEqual([true, []])
    commit(feed, ['b'])
    expect(idsOf(await feed.ask({ after: (await one).next, ids: true }, 'one'))).toEqual([['b']])
  })

  it('tells nothing before the group is told, and nothing of another feed', async () => {
    const feed = new Feed()
    const { next } = await feed.ask({ ids: true }, 'a')
    const asked = feed.ask({ after: next, ids: true }, 'a')
    feed.made(made(['x']), () => encodeIds(['x']))
    expect(await waits(asked)).toBe(true)
    feed.tell()
    expect(idsOf(await asked)).toEqual([['x']])
    const other = new Feed()
    for (const known of [false, true]) {
      // Another listener of the same opening may already listen to the other feed.
      if (known) await other.ask({ ids: true }, 'b')
      const asked = other.ask({ after: next, ids: true }, known ? 'b' : 'a')
      expect(await waits(asked)).toBe(false)
      const answer = await asked
      expect([answer.reset, answer.changes]).toEqual([true, []])
    }
  })
})
