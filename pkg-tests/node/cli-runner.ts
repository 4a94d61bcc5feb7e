// Runs the command line in a folder of its own for each test file, and reads the stores that it made.
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Nidus } from 'nidus-wasm'
import { expect } from 'vitest'
import { temporaryFolder } from '../common/folder'

export const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
export const folder = temporaryFolder('lines')
export const at = (...parts: string[]) => join(folder, ...parts)

export function cli(...args: string[]) {
  return new Promise<{ code: number; out: string; err: string }>((resolve) =>
    execFile(process.execPath, [program, ...args], { cwd: folder, maxBuffer: 1 << 28 }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    ),
  )
}
export const fine = async (...args: string[]) => {
  const { code, err, out } = await cli(...args)
  expect([code, err]).toEqual([0, ''])
  return out
}
export const refused = async (...args: string[]) => {
  const { code, err } = await cli(...args)
  expect(code).toBeGreaterThan(1)
  return err
}
let n = 0
export const fresh = (end = '') => `x${n++}${end}`
export const lines = (file: string) =>
  readFileSync(at(file), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
export const write = (...texts: (string | Uint8Array)[]) => {
  const file = fresh('.jsonl')
  writeFileSync(at(file), Buffer.concat(texts.map((text) => Buffer.from(text))))
  return file
}

export async function everything(directory: string) {
  const db = await Nidus.open(at(directory), { readOnly: true })
  const all: unknown[] = [db.dimension]
  for (const name of await db.collections()) {
    const records = []
    for await (const { id, attrs } of db.records(name)) records.push([id, Object.entries(attrs)])
    all.push([name, await db.getMeta(name), records])
  }
  await db.close()
  return all
}
export async function vectors(directory: string) {
  const db = await Nidus.open(at(directory), { readOnly: true })
  const all: number[] = []
  for (const name of await db.collections()) for await (const { vector } of db.records(name)) all.push(...vector)
  await db.close()
  return all
}

let state = 7
/** Returns numbers from 0 to 1, the same ones in each run. */
export const random = () => (state = (state * 48271) % 2147483647) / 2147483647
export const seedRandom = (seed: number) => void (state = seed)
