// Takes the place of 'vitest' in workerd. It has the real `expect`, and keeps a list of tests, each of which runs on
// request.
import * as chai from 'chai'
import { JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect'

chai.use(JestExtend)
chai.use(JestChaiExpect)
chai.use(JestAsymmetricMatchers)

const plain = (value: unknown, message?: string) => chai.expect(value, message)

/** Repeats the one matcher that follows until it passes. */
const poll = (read: () => unknown, { timeout = 10_000, interval = 20 } = {}) =>
  new Proxy(
    {},
    {
      get:
        (_, matcher: string) =>
        async (...args: unknown[]) => {
          for (const until = Date.now() + timeout; ;) {
            try {
              return (plain(await read()) as unknown as Record<string, (...args: unknown[]) => unknown>)[matcher]!(
                ...args,
              )
            } catch (error) {
              if (Date.now() > until) throw error
            }
            await new Promise((resolve) => setTimeout(resolve, interval))
          }
        },
    },
  )

export const expect = Object.assign(plain, (globalThis as { expect?: object }).expect, { poll })

export const tests: { name: string; work: () => unknown }[] = []
let group = ''

export function describe(name: string, body: () => void) {
  group = `${name}: `
  body()
  group = ''
}

type Work = () => unknown

/** Adds a test. Its options (how long it may take) are ignored here. */
export function it(name: string, ...[first, second]: [Work] | [object, Work]) {
  tests.push({ name: group + name, work: second ?? (first as Work) })
}
