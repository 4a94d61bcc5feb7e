// An error that nobody catches is printed by Node with the line that threw it: that has to be readable.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const dist = (name: string) => new URL(`../../dist/${name}`, import.meta.url)
const uncaught = (program: string) =>
  new Promise<{ code: unknown; err: string }>((resolve) =>
    execFile(process.execPath, ['--input-type=module', '-e', program], (error, _, err) => resolve({ code: error?.code, err })),
  )

it.each([
  ['opening', `Nidus.open('nowhere', { dimension: 'x' })`, 'checkOpen', 'dimension must be'],
  ['importing, which is loaded later', `Nidus.import('nowhere', new Uint8Array(5000).fill(7), { storage: 'memory' })`, 'at ', 'tar'],
  ['a static index, which is loaded later', `Nidus.fromStatic(5)`, 'openStatic', ''],
])('is short, and names functions: %s', async (_, work, frame, message) => {
  const { code, err } = await uncaught(`import { Nidus } from ${JSON.stringify(dist('node.js').href)}\nawait ${work}`)
  expect(code).toBe(1)
  expect(err).toContain(frame)
  expect(err).toContain(message)
  expect(err).toMatch(/NidusError: /)
  expect(err.length).toBeLessThan(3000)
  expect(Math.max(...err.split('\n').map((line) => line.length))).toBeLessThan(400)
})

it('is of a class called NidusError, in every entry', async () => {
  for (const name of ['node.js', 'browser.js', 'slim.js', 'inline.js', 'segment-node.js', 'segment-browser.js']) {
    expect(existsSync(fileURLToPath(dist(name)))).toBe(true)
    const entry = (await import(dist(name).href)) as { NidusError?: typeof import('nidus-wasm').NidusError }
    expect([name, entry.NidusError?.name]).toEqual([name, 'NidusError'])
    expect(new entry.NidusError!('CLOSED' as never, 'x').constructor.name).toBe('NidusError')
  }
})
