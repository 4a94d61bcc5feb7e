// Stands for 'vitest' within workerd: the real `expect`, and a list of tests that are run by request.
import * as chai from 'chai'
import { JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect'

chai.use(JestExtend)
chai.use(JestChaiExpect)
chai.use(JestAsymmetricMatchers)

export const expect = Object.assign((value: unknown, message?: string) => chai.expect(value, message), (globalThis as { expect?: object }).expect)

export const tests: { name: string; work: () => unknown }[] = []
let group = ''

export function describe(name: string, body: () => void) {
  group = `${name}: `
  body()
  group = ''
}

export function it(name: string, work: () => unknown) {
  tests.push({ name: group + name, work })
}
