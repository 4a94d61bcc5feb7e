// Which questions and options count as the same. A component asks anew whenever they do not.
import { expect, it } from 'vitest'
import { copyOf, keyOf, same } from '../../src/ts/live/same'
import { mulberry32 } from '../common/mulberry32.mjs'

/** Returns a value as a caller may give it, made from the seed, so that it can be made twice. */
function valueOf(random: () => number, depth = 0): unknown {
  const pick = <T>(all: (() => T)[]) => all[Math.floor(random() * all.length)]!()
  const many = <T>(make: () => T) => Array.from({ length: Math.floor(random() * 4) }, make)
  const leaf = () =>
    pick<unknown>([
      () => Math.floor(random() * 5),
      () => NaN,
      () => -0,
      () => `t${Math.floor(random() * 5)}`,
      () => null,
      () => undefined,
      () => 5n,
      () => new Date(Math.floor(random() * 9)),
      () => new Date(NaN),
      () => Float32Array.from(many(random)),
      () => Float64Array.of(NaN, random()),
      () => new Error(`e${Math.floor(random() * 3)}`),
      () => () => {},
    ])
  if (depth > 3) return leaf()
  const inner = () => valueOf(random, depth + 1)
  const object = (to: object) =>
    Object.assign(to, Object.fromEntries(many(() => [`k${Math.floor(random() * 4)}`, inner()])))
  return pick<unknown>([
    leaf,
    () => many(inner),
    () => object({}),
    () => object(Object.create(null) as object),
    () => object(many(random)),
    () => new Proxy(object({}), {}),
  ])
}

it('a copy is the same as its original, and does not change with it', () => {
  for (let seed = 0; seed < 5000; seed++) {
    const value = valueOf(mulberry32(seed))
    const again = valueOf(mulberry32(seed))
    const copy = copyOf(value)
    expect([seed, same(value, copy), same(copy, value)]).toEqual([seed, true, true])
    expect([seed, same(copy, again), keyOf(copy) === keyOf(value)]).toEqual([seed, true, true])
  }
  const changed: { filter: { tag: { $in: string[] } } } = { filter: { tag: { $in: ['a'] } } }
  const before = copyOf(changed)
  changed.filter.tag.$in.push('b')
  expect(same(changed, before)).toBe(false)
})

it('what is within itself or very deep ends', () => {
  const round: { [key: string]: unknown } = {}
  Object.assign(round, { one: round, two: [round, round] })
  let deep: unknown = 'end'
  for (let i = 0; i < 10_000; i++) deep = { $not: deep, and: [deep] }
  for (const value of [round, deep]) expect(same(value, copyOf(value))).toBe(true)
  expect(keyOf(round)).toContain('…')
  const proxied = new Proxy(new Date(5), {})
  expect(copyOf({ proxied })).toEqual({ proxied })
})
