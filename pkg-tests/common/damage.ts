export type File = 'data' | 'log' | 'head' | 'meta' | 'extents'

/** Bytes of another program, which begin like none of our files. */
export const CSV = new TextEncoder().encode('name,place\nAda,London\n'.repeat(100))

export type States = { [state: string]: (name: string, file: File) => unknown }
/** The place of the stores of one kind. */
export interface Place {
  /** Returns everything that is kept under the name: the name of each part, and its bytes. */
  all(name: string): Promise<Record<string, string>>
  /** Replaces the content of one file. */
  states: { [F in File]?: States }
  copy(from: string, to: string): Promise<void>
  calls: { [call: string]: (name: string) => Promise<unknown> }
}

/** How a call ended, and what was kept under the name before it and after it. */
interface Fact {
  call: string
  end: string
  before: Record<string, string>
  after: Record<string, string>
}

/**
 * By state, the new bytes of a damaged file. `bytes` are its old ones, `other` those of another store's file.
 * `undefined`: the file is removed.
 */
export const BYTES: { [state: string]: (bytes: Uint8Array, other: Uint8Array) => Uint8Array | undefined } = {
  absent: () => undefined,
  empty: () => new Uint8Array(0),
  'cut in the middle': (bytes) => bytes.slice(0, Math.floor(bytes.length / 2) + 1),
  'zeroed tail': (bytes) => bytes.slice().fill(0, Math.floor(bytes.length / 2)),
  "another store's": (_, other) => other,
  "another program's": () => CSV,
}

/** Reads a table of SPEC 2.3 (docs/spec/recovery.md), which says how each call ends, by file and state. */
export function tableIn(spec: string, mark: string): { calls: string[]; ends: Map<string, string[]> } {
  const lines = spec.split(`<!-- ${mark}:begin -->`)[1]!.split(`<!-- ${mark}:end -->`)[0]!.trim().split('\n')
  const [head, , ...rows] = lines.map((line) => line.slice(2, -2).split(' | '))
  return { calls: head!.slice(1), ends: new Map(rows.map(([row, ...ends]) => [row!, ends])) }
}

/** The names that `Place.all` gives to a store's files. `written`: a further part that an opening may write. */
export interface Names {
  called(file: File): string
  written?: string
}

/** Calls that may replace what is there. */
const REPLACES = ['import replace', 'destroy']
const READS = ['open readOnly', 'verify', 'salvage']
/** States in which the file is not the store's own. No call may change or remove it. */
const OTHERS = ["another program's", 'a folder']
let made = 0

/** Makes every call, each on its own copy of a store that has one damaged file. Returns how the calls ended. */
export function factsOf(place: Place, good: string, file: File, state: string): Promise<Fact[]> {
  const one = async ([call, work]: [string, (name: string) => Promise<unknown>]): Promise<Fact> => {
    const name = `${good}-${made++}`
    await place.copy(good, name)
    await place.states[file]![state]!(name, file)
    const before = await place.all(name)
    const end = await work(name).then(
      () => 'ok',
      (error: { code?: string }) => error.code ?? String(error),
    )
    return { call, end, before, after: await place.all(name) }
  }
  return Promise.all(Object.entries(place.calls).map(one))
}

type Expect = (
  value: unknown,
  what: string,
) => {
  toEqual(other: unknown): void
  toBe(other: unknown): void
  toMatch(pattern: RegExp): void
  toContain(other: unknown): void
}

/** Checks that no call changed a byte that it may not change. */
export function check(expect: Expect, { called, written }: Names, facts: Fact[], file: File, state: string) {
  const [data, log] = [called('data'), called('log')]
  for (const { call, end, before, after } of facts) {
    const what = `${file} ${state}, ${call}: ${end}`
    expect(end, what).toMatch(/^(ok|told|[A-Z_]+)$/)
    if (end !== 'ok' || READS.includes(call)) expect(after, what).toEqual(before)
    // An opening that succeeds may cut the end of the log. Apart from `written`, it changes nothing else.
    else if (call === 'open') {
      expect((before[log] ?? '').startsWith(after[log] ?? ''), what).toBe(true)
      for (const name of [data, ...Object.keys(before)])
        if (![log, written].includes(name)) expect(after[name], `${what}: ${name}`).toBe(before[name])
    } else expect(REPLACES, what).toContain(call)
    if (OTHERS.includes(state)) expect(after[called(file)], what).toBe(before[called(file)])
  }
}
