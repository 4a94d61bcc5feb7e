// Reads the values of options.
import { isPlainObject } from '../core/wire.js'
import { Usage } from './args.js'
import { parseExactly } from './values.js'

export function wholeNumber(text: string | undefined, fallback: number, name: string, least = 1): number {
  const number = text === undefined ? fallback : numberOf(text)
  if (!Number.isInteger(number) || number < least)
    throw new Usage(`--${name} must be a whole number from ${least}, not ${text}`)
  return number
}

/** Returns NaN for a text that is no number. */
export const numberOf = (text: string): number => (text.trim() === '' ? NaN : Number(text))

export function json<T>(
  text: string | undefined,
  name: string,
  parse: (text: string) => unknown = parseExactly,
): T | undefined {
  try {
    return text === undefined ? undefined : (parse(text) as T)
  } catch {
    throw new Usage(`--${name} is no JSON: ${text}`)
  }
}

/** Reads names with commas between them. Names with commas in them are written as an array in JSON. */
export function names(text: string, name: string): string[] {
  const list = text.startsWith('[') ? json<unknown>(text, name, JSON.parse) : text.split(',')
  if (!Array.isArray(list) || !list.every((each) => typeof each === 'string' && each !== ''))
    throw new Usage(`--${name} must be names with commas between them, or an array of names in JSON, not ${text}`)
  return list as string[]
}

/** Splits a number off the end of a name: `KEY:NUMBER`. */
export function keyed(text: string, name: string): { key: string; number: number | undefined } {
  const [, key, number] = /^(.*?)(?::(-?\d*\.?\d+))?$/s.exec(text)!
  if (key === '') throw new Usage(`--${name} lacks a name: ${text}`)
  const [, tail] = /:(\d[^:]*)$/.exec(key) ?? []
  if (tail !== undefined && number === undefined)
    throw new Usage(`--${name}: ${tail} is no number; a name with a colon is written in JSON: {"${text}": {}}`)
  return { key, number: number === undefined ? undefined : Number(number) }
}

/**
 * Reads names that may each have a number, as an object: `title:3,body` is `{ title: { [property]: 3 }, body: {} }`.
 * Such an object may also be given in JSON, for names with colons or commas in them.
 */
export function keyedObject(text: string, name: string, property: string): Record<string, object> {
  if (text.startsWith('{')) {
    const object = json<unknown>(text, name, JSON.parse)
    if (!isPlainObject(object)) throw new Usage(`--${name} must be an object, not ${text}`)
    return object as Record<string, object>
  }
  const entries = names(text, name).map((each) => keyed(each, name))
  const twice = entries.find(({ key }, i) => entries.findIndex((other) => other.key === key) < i)
  if (twice) throw new Usage(`--${name} names ${twice.key} twice`)
  return Object.fromEntries(entries.map(({ key, number }) => [key, number === undefined ? {} : { [property]: number }]))
}
