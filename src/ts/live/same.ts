/** Numbers for objects that are told apart by what they are and not by what they hold, for example a host. */
const numbers = new WeakMap<object, number>()
let last = 0

export const isNumbers = (value: object): value is Float32Array =>
  ArrayBuffer.isView(value) && !(value instanceof DataView)
/** Objects within objects beyond this depth are told apart by what they are. No question needs so many. */
const DEPTH = 64
/** The text of what is deeper would be too long. */
const KEY_DEPTH = 16
const sameNumber = (a: number | undefined, b: number | undefined) => a === b || (a !== a && b !== b)

const isPlain = (value: object) => {
  const of: unknown = Object.getPrototypeOf(value)
  return of === null || of === Object.prototype
}

/** Undefined for a Date inside a proxy, which a search refuses. */
const timeOf = (date: Date) => {
  try {
    return date.getTime()
  } catch {
    return undefined
  }
}

const codeOf = (error: object) => (error as { code?: unknown }).code

/**
 * Returns whether two values hold the same. Functions are always the same: components make them anew each time they are
 * rendered. A key whose value is undefined counts as absent.
 */
export function same(a: unknown, b: unknown, seen = new Map<object, unknown>(), depth = 0): boolean {
  if (Object.is(a, b) || (typeof a === 'function' && typeof b === 'function')) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const plain = isPlain(a) && isPlain(b)
  if (!plain && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (isNumbers(a))
    return a.length === (b as Float32Array).length && a.every((n, i) => sameNumber(n, (b as Float32Array)[i]))
  if (a instanceof Date) return sameNumber(timeOf(a), timeOf(b as Date))
  if (a instanceof Error) return a.message === (b as Error).message && codeOf(a) === codeOf(b)
  if (!Array.isArray(a) && !plain) return false
  // A pair that is being compared already counts as the same. If it is not, the answer is false in any case.
  if (seen.get(a) === b) return true
  if (depth >= DEPTH) return false
  seen.set(a, b)
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return false
  // A list of hits has keys beside its elements, too.
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>]
  for (const key of Object.keys(left)) if (!same(left[key], right[key], seen, depth + 1)) return false
  for (const key of Object.keys(right)) if (right[key] !== undefined && left[key] === undefined) return false
  return true
}

/**
 * Returns a copy that stays as it is when the value is changed. It reads all that the value holds, so a framework that
 * watches what is read sees each part. What is told apart by what it is, is not copied.
 */
export function copyOf<T>(value: T, made?: Map<object, unknown>, depth?: number): T
export function copyOf(value: unknown, made = new Map<object, unknown>(), depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isNumbers(value)) return value.slice()
  if (value instanceof Date) return timeOf(value) === undefined ? value : new Date(value)
  const list = Array.isArray(value)
  // What is deeper is refused by the search.
  if ((!list && !isPlain(value)) || depth >= DEPTH) return value
  if (made.has(value)) return made.get(value)
  const copy = list ? new Array<unknown>(value.length) : {}
  made.set(value, copy)
  // A list of hits has keys beside its elements, too.
  for (const key of Object.keys(value)) {
    const held = copyOf((value as Record<string, unknown>)[key], made, depth + 1)
    Object.defineProperty(copy, key, { value: held, enumerable: true, configurable: true, writable: true })
  }
  return copy
}

/** Returns a text that is the same for values that `same` calls the same. */
export function keyOf(value: unknown, above: object[] = []): string {
  if (typeof value === 'function') return 'f'
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'u'
  if (isNumbers(value)) return `[${value.join()}]`
  if (above.length >= KEY_DEPTH || above.includes(value)) return '…'
  const within = [...above, value]
  if (Array.isArray(value)) return `[${value.map((each) => keyOf(each, within)).join()}]`
  if (value instanceof Date) return `d${timeOf(value)}`
  if (!isPlain(value)) {
    if (!numbers.has(value)) numbers.set(value, ++last)
    return `#${numbers.get(value)}`
  }
  const entries = Object.entries(value).filter(([, each]) => each !== undefined)
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, each]) => `${JSON.stringify(key)}:${keyOf(each, within)}`)
    .join()}}`
}
