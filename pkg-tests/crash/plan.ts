import type { Nidus } from 'nidus-wasm'
import { random } from '../common/model'

export const DIMENSION = 24

interface Doc {
  id: string
  vector: number[]
  attrs: Record<string, string | number>
}
/** The steps on a store, in a form that can be sent into a page. */
export type Step =
  | { do: 'upsert'; collection: string; docs: Doc[] }
  | { do: 'delete'; collection: string; ids: string[] }
  | { do: 'deleteWhere'; collection: string; z: number }
  | { do: 'setMeta'; collection: string; meta: Record<string, string> }
  | { do: 'drop' | 'create'; collection: string }
  | { do: 'compact' }
/** The steps of one turn are called together, so they share a commit. */
export type Plan = Step[][]

export function makePlan(seed: number, turns: number): Plan {
  const r = random(seed)
  const collection = () => r.pick(['a', 'b', 'größe'])
  const doc = (): Doc => ({
    id: `id-${r.int(12)}${'x'.repeat(r.int(4) * 40)}`,
    vector: [...r.vector(DIMENSION)],
    attrs: { z: r.int(4), text: 'y'.repeat(r.int(200)) },
  })
  const docs = (n: number) => Array.from({ length: n }, doc)
  const step = (): Step => {
    const kind = r.int(12)
    if (kind === 0) return { do: 'drop', collection: collection() }
    if (kind === 1) return { do: 'create', collection: collection() }
    if (kind === 2) return { do: 'setMeta', collection: collection(), meta: { n: `${r.int(1000)}` } }
    if (kind === 3) return { do: 'delete', collection: collection(), ids: docs(3).map(({ id }) => id) }
    if (kind === 4) return { do: 'deleteWhere', collection: collection(), z: r.int(4) }
    return { do: 'upsert', collection: collection(), docs: docs(kind < 7 ? 1 : 3 + r.int(6)) }
  }
  return Array.from({ length: turns }, (_, turn) => {
    if (turn % 7 === 5) return [{ do: 'compact' }]
    return Array.from({ length: turn % 5 === 3 ? 3 : 1 }, step)
  })
}

/** Runs the steps on a store. It is sent into a page as text, so it may use nothing from outside itself. */
export async function runPlan(db: Nidus, plan: Plan, mark: (from: number, to: number) => void | Promise<void>) {
  const one = async (step: Step) => {
    if (step.do === 'upsert') await db.upsert(step.collection, step.docs)
    if (step.do === 'delete') await db.delete(step.collection, step.ids)
    if (step.do === 'deleteWhere') await db.deleteWhere(step.collection, { z: step.z })
    if (step.do === 'setMeta') await db.setMeta(step.collection, step.meta)
    if (step.do === 'drop') await db.dropCollection(step.collection)
    if (step.do === 'create') await db.createCollection(step.collection)
    if (step.do === 'compact') await db.compact()
  }
  let done = 0
  await mark(0, 0)
  for (const turn of plan) {
    await mark(done, done + turn.length)
    await Promise.all(turn.map(one))
    done += turn.length
    await mark(done, done)
  }
}

type Docs = Map<string, Doc>
export type State = Map<string, { meta: Record<string, string>; docs: Docs }>

export function applied(state: State, step: Step): State {
  const next: State = new Map([...state].map(([name, { meta, docs }]) => [name, { meta, docs: new Map(docs) }]))
  if (step.do === 'compact') return next
  const at = (): { meta: Record<string, string>; docs: Docs } => {
    if (!next.has(step.collection)) next.set(step.collection, { meta: {}, docs: new Map() })
    return next.get(step.collection)!
  }
  const there = next.get(step.collection)?.docs
  if (step.do === 'upsert') {
    const { docs } = at()
    for (const doc of step.docs) docs.set(doc.id, doc)
  }
  if (step.do === 'delete') for (const id of step.ids) there?.delete(id)
  if (step.do === 'deleteWhere') for (const [id, { attrs }] of there ?? []) if (attrs['z'] === step.z) there!.delete(id)
  if (step.do === 'setMeta') at().meta = step.meta
  if (step.do === 'create') at()
  if (step.do === 'drop') next.delete(step.collection)
  return next
}

/** Returns the state before the first step, and the state after each. */
export function statesOf(plan: Plan): State[] {
  const states: State[] = [new Map()]
  for (const step of plan.flat()) states.push(applied(states.at(-1)!, step))
  return states
}

/** Scales a vector as native does, operation by operation in f32. */
function unit(vector: Iterable<number>): Float32Array {
  const v = Float32Array.from(vector)
  let sum = Math.fround(0)
  for (const x of v) sum = Math.fround(sum + Math.fround(x * x))
  const scale = Math.fround(1 / Math.fround(Math.sqrt(sum)))
  return v.map((x) => Math.fround(x * scale))
}

const hex = (vector: Float32Array) => Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('hex')
const sorted = (record: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))

/** Returns a whole state as text: collections, metadata, ids, attributes, the bits of the vectors. */
export const textOf = (state: State) =>
  [...state]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { meta, docs }]) =>
      [
        `# ${name} ${JSON.stringify(sorted(meta))}`,
        ...[...docs.values()]
          .sort((a, b) => (a.id < b.id ? -1 : 1))
          .map(({ id, vector, attrs }) => `${id} ${JSON.stringify(sorted(attrs))} ${hex(unit(vector))}`),
      ].join('\n'),
    )
    .join('\n')

export async function textOfStore(db: Nidus) {
  const parts: string[] = []
  for (const name of await db.collections()) {
    parts.push(`# ${name} ${JSON.stringify(sorted(await db.getMeta(name)))}`)
    for await (const { id, attrs, vector } of db.records(name))
      parts.push(`${id} ${JSON.stringify(sorted(attrs))} ${hex(vector)}`)
  }
  return parts.join('\n')
}
