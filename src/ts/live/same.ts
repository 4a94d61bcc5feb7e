/** Numbers for objects that are told apart by what they are and not by what they hold, for example a host. */
const numbers = new WeakMap<object, number>()
let last = 0

const isNumbers = (value: object): value is Float32Array => ArrayBuffer.isView(value) && !(value instanceof DataView)
const isPlain = (value: object) => {
  const of: unknown = Object.getPrototypeOf(value)
  return of === null || of === Object.prototype
}

/**
 * Returns whether two values hold the same. Functions are always the same: components make them anew each time they are
 * rendered. A key whose value is undefined counts as absent.
 */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b) || (typeof a === 'function' && typeof b === 'function')) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (isNumbers(a)) return a.length === (b as Float32Array).length && a.every((n, i) => n === (b as Float32Array)[i])
  if (a instanceof Date) return a.getTime() === (b as Date).getTime()
  if (!Array.isArray(a) && !isPlain(a)) return false
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return false
  // A list of hits has keys beside its elements, too.
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>]
  for (const key of Object.keys(left)) if (!same(left[key], right[key])) return false
  for (const key of Object.keys(right)) if (right[key] !== undefined && left[key] === undefined) return false
  return true
}

/**
 * Returns a copy that stays as it is when the value is changed. It reads all that the value holds, so a framework that
 * watches what is read sees each part. What is told apart by what it is, is not copied.
 */
export function copyOf<T>(value: T): T
export function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isNumbers(value)) return value.slice()
  if (Array.isArray(value)) return value.map(copyOf)
  if (value instanceof Date) return new Date(value)
  if (!isPlain(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, copyOf(each)]))
}

/** Returns a text that is the same for values that `same` calls the same. */
export function keyOf(value: unknown): string {
  if (typeof value === 'function') return 'f'
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'u'
  if (isNumbers(value)) return `[${value.join()}]`
  if (Array.isArray(value)) return `[${value.map(keyOf).join()}]`
  if (value instanceof Date) return `d${value.getTime()}`
  if (!isPlain(value)) {
    if (!numbers.has(value)) numbers.set(value, ++last)
    return `#${numbers.get(value)}`
  }
  const entries = Object.entries(value).filter(([, each]) => each !== undefined)
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, each]) => `${JSON.stringify(key)}:${keyOf(each)}`)
    .join()}}`
}
