import type { ImportSource, Nidus } from 'nidus-wasm'
import { expect } from 'vitest'
import { EVERY_CASE, random } from '../common/model'
import { Medium, type Event, type Image } from './medium'
import { DIMENSION, applied, textOf, textOfStore, type State, type Step } from './plan'

/** Opens the files of a directory with one kind of host. */
export interface Opener {
  readonly flushMakesName: boolean
  /** Before these events a process is always killed, in addition to the random ones. */
  killBefore?(event: Event): boolean
  /**
   * Writes the files of the image, and lets `work` open the store or import into it (`take`) with the real host.
   * Returns the calls of the host as events. `names` has the number of each file, and `files` is the next free number.
   */
  record(
    image: Image,
    names: Map<string, number>,
    files: number,
    work: (
      store: { open(): Promise<Nidus>; take(source: ImportSource): Promise<Nidus> },
      mark: (from: number, to: number) => void,
    ) => Promise<void>,
  ): Promise<Event[]>
  /** Returns other images, for files whose content depends on the machine, such as inodes. */
  variants?: ((image: Image) => { name: string; image: Image }[]) | undefined
}

/** Runs {@link Opener.record} for a store that is opened, handed to `use` and closed. */
export function opened(
  opener: Opener,
  image: Image,
  names: Map<string, number>,
  files: number,
  use: (db: Nidus, mark: (from: number, to: number) => void) => Promise<void>,
): Promise<Event[]> {
  return opener.record(image, names, files, async ({ open }, mark) => {
    const db = await open()
    try {
      await use(db, mark)
    } finally {
      await db.close()
    }
  })
}

export interface Expected {
  text: string
  after: string
}
const MORE: Step[] = [
  {
    do: 'upsert',
    collection: 'after',
    docs: [0, 1, 2].map((n) => ({
      id: `more ${n}`,
      vector: Array.from({ length: DIMENSION }, (_, i) => Math.cos(i * (n + 1))),
      attrs: { z: n, text: '' },
    })),
  },
  { do: 'delete', collection: 'a', ids: ['id-1', 'id-2', 'id-3'] },
]
export const expectedOf = (states: State[]): Expected[] =>
  states.map((state) => ({ text: textOf(state), after: textOf(MORE.reduce(applied, state)) }))

async function further(db: Nidus) {
  const [upsert, remove] = MORE as [Extract<Step, { do: 'upsert' }>, Extract<Step, { do: 'delete' }>]
  await Promise.all([db.upsert(upsert.collection, upsert.docs), db.delete(remove.collection, remove.ids)])
}

class Wrong extends Error {}

/**
 * Opens an image, and checks that it has one of the allowed states. Then writes to it, and checks it again. Returns the
 * state that was found, and the calls of the host as events.
 */
async function check(
  opener: Opener,
  image: Image,
  names: Map<string, number>,
  files: number,
  allowed: Expected[],
): Promise<{ events: Event[]; found: Expected }> {
  let found: Expected | undefined
  const sizes = [...image].map(([name, { length }]) => `${name} ${length}`).join(', ')
  const events = await opened(opener, image, names, files, async (db, mark) => {
    const text = await textOfStore(db)
    found = allowed.find((state) => state.text === text)
    if (!found)
      throw new Wrong(
        `[${sizes}] opens to\n${text.replace(/[0-9a-f]{40,}/g, '…')}\nwhich is none ` +
          `of\n${allowed.map((state) => state.text.replace(/[0-9a-f]{40,}/g, '…')).join('\nnor\n')}`,
      )
    const { bytes, logBytes, dataBytes } = db.recovery
    if (bytes !== logBytes + dataBytes || dataBytes >= DIMENSION * 4)
      throw new Wrong(`[${sizes}] reports ${JSON.stringify(db.recovery)}`)
    mark(0, 0)
    mark(0, 1)
    await further(db)
    mark(1, 1)
    const after = await textOfStore(db)
    if (after !== found.after) throw new Wrong(`[${sizes}] a further write made\n${after}\nnot\n${found.after}`)
  }).catch((error: Error) => {
    throw error instanceof Wrong
      ? error
      : new Wrong(`[${sizes}] does not open or takes no write: ${error.message}`, { cause: error })
  })
  return { events, found: found! }
}

interface Count {
  images: number
  second: number
  killed: number
}
interface Limits {
  most: number
  seed: number
  /**
   * The exploration continues from one image in `every`, and from one moment in a tenth of that. It also continues from
   * every moment at which a name is not synced, and from those that `killBefore` selects.
   */
  every: number
}

/**
 * Makes the images that a crash before each event may leave, and checks each. For some images it also explores crashes
 * during their opening and a further write. Before some events only the process is killed. The next process then
 * continues with files that were not flushed.
 */
export async function explore(
  opener: Opener,
  medium: Medium,
  events: Event[],
  states: Expected[],
  limits: Limits,
  generation = 0,
  seen = new Set<string>(),
  count: Count = { images: 0, second: 0, killed: 0 },
): Promise<Count> {
  const r = random(limits.seed)
  let range: [number, number] | undefined
  const look = async (before?: Event) => {
    if (!range) return
    const allowed = states.slice(range[0], range[1] + 1)
    const context = allowed.map(({ text }) => text).join('\0')
    for (const { hash, image } of medium.images(limits.most)) {
      for (const variant of [{ name: '', image }, ...(opener.variants?.(image) ?? [])]) {
        const key = `${hash}${variant.name}${context}`
        if (seen.has(key)) continue
        seen.add(key)
        count.images++
        if (generation > 0) count.second++
        const names = new Map([...variant.image.keys()].map((name, i) => [name, i]))
        const { events, found } = await check(opener, variant.image, names, names.size, allowed)
        const half = [...variant.image.keys()].includes('compacted')
        if (generation > 0 || r.int(half ? Math.ceil(limits.every / 8) : limits.every) > 0) continue
        const next = new Medium({ flushMakesName: opener.flushMakesName, seed: r.int(1e9) }, variant.image)
        // From here on the variant is kept, so no further variants of it are made.
        const same = variant.name === '' ? { ...opener, variants: undefined } : opener
        await explore(
          same,
          next,
          [{ kind: 'allow', from: 0, to: 0 }, ...events],
          [found, { text: found.after, after: found.after }],
          limits,
          1,
          seen,
          count,
        )
      }
    }
    const certain = medium.namesPending || (before && opener.killBefore?.(before))
    if (generation > 0 || (!certain && r.int(Math.ceil(limits.every / 10)) > 0)) return
    // The process is killed. The next one sees everything that was written, although not all of it was flushed.
    count.killed++
    const { names, image, files } = medium.now()
    const { events, found } = await check(opener, image, names, files, allowed)
    // Until the next process has opened the store, a loss of power may still leave any state that was allowed. After
    // that, the state that this process found is durable.
    const opened = events.findIndex(({ kind }) => kind === 'allow')
    const [opening, rest] = [events.slice(0, opened), events.slice(opened)]
    const killed = medium.clone()
    await explore(
      opener,
      killed,
      [{ kind: 'allow', from: 0, to: allowed.length - 1 }, ...opening],
      allowed,
      limits,
      1,
      seen,
      count,
    )
    await explore(opener, killed, rest, [found, { text: found.after, after: found.after }], limits, 1, seen, count)
  }
  for (const event of events) {
    if (event.kind !== 'allow') await look(event)
    else range = [event.from, event.to]
    medium.apply(event)
  }
  await look()
  return count
}

const PLAIN: Limits = { most: EVERY_CASE ? 12 : 6, seed: 1, every: 1e9 }

/** Checks that the exploration passes with all events, and that it fails if the events of one fault are left out. */
export async function expectCaught(
  opener: Opener,
  events: Event[],
  states: Expected[],
  faults: [string, (event: Event) => boolean][],
) {
  const run = (events: Event[], limits = PLAIN) =>
    explore(opener, new Medium({ flushMakesName: opener.flushMakesName }), events, states, limits)
  // Other tests look at more images of a run without a fault.
  await run(events, EVERY_CASE ? PLAIN : { ...PLAIN, most: 2 })
  for (const [what, left] of faults) {
    const fewer = events.filter((event) => !left(event))
    expect(fewer.length, what).toBeLessThan(events.length)
    const caught = await run(fewer).then(
      (count) => `not caught by ${count.images} images`,
      (error: unknown) => error,
    )
    expect(caught, what).toBeInstanceOf(Wrong)
  }
}
