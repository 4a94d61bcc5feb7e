// The files of results: one for each case, { run, results }. `run` has the facts of the run: machine, versions, date.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readJson, writeFile } from '../../scripts/lib.mjs'

const WIDTH = 118

/** Rounds a number that is no integer to five digits. More would only be noise. */
const rounded = (_, value) =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value

/** Returns JSON in which each value that fits has a line of its own, so that two runs can be compared by `git diff`. */
function pretty(value, indent = '') {
  const flat = JSON.stringify(value, rounded)
  if (value === null || typeof value !== 'object' || flat.length + indent.length <= WIDTH) return flat
  const inner = `${indent}  `
  const parts = Array.isArray(value)
    ? value.map((one) => pretty(one, inner))
    : Object.entries(value)
        .filter(([, one]) => one !== undefined)
        .map(([name, one]) => `${JSON.stringify(name)}: ${pretty(one, inner)}`)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${parts.map((part) => `${inner}${part}`).join(',\n')}\n${indent}${close}`
}

export const writeResults = (out, name, run, results) =>
  writeFile(join(out, `${name}.json`), `${pretty({ run, results })}\n`)

/** Returns { NAME: { run, results } } of the cases that have a file in `out`. */
export const readResults = (out, names) =>
  Object.fromEntries(
    names
      .filter((name) => existsSync(join(out, `${name}.json`)))
      .map((name) => [name, readJson(join(out, `${name}.json`))]),
  )
