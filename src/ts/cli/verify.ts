import { salvage } from '../engine/salvage.js'
import { NidusError } from '../errors/errors.js'
import { fsHost } from '../hosts/fs/host.js'
import { memoryHost } from '../hosts/memory.js'
import type { Values } from './args.js'
import { count, out, say, table } from './output.js'

/** One fault of a store, and its place in a file, in bytes. */
interface Finding {
  what: string
  file?: 'data' | 'log'
  offset?: number
  length?: number
}

/** Checks every byte of a store. It salvages the store into memory, so nothing is written to disk. */
export async function verify(directory: string): Promise<{ findings: Finding[]; documents: number; rows: number }> {
  const hosts = { from: fsHost(directory), into: memoryHost('verified') }
  let report
  try {
    report = await salvage(
      { name: directory, into: 'verified', dimension: undefined },
      {
        from: (work) => work(hosts.from),
        probe: () => Promise.reject(new NidusError('NOT_FOUND', 'memory is empty')),
        into: (work) => work(hosts.into),
        remove: async () => {},
      },
    )
  } catch (error) {
    if (
      !(error instanceof NidusError) ||
      !['CORRUPT', 'UNSUPPORTED_VERSION', 'DIMENSION_MISMATCH', 'INVALID_ARGUMENT'].includes(error.code)
    )
      throw error
    return { findings: [{ what: `${error.code}: ${error.message}` }], documents: 0, rows: 0 }
  }
  const findings: Finding[] = report.damage.map((place) => ({ what: 'damage', ...place }))
  const more = report.damageCount - report.damage.length
  if (more) findings.push({ what: `${more} more places of damage`, file: 'log' })
  if (report.upsertsWithoutRow)
    findings.push({ what: `${report.upsertsWithoutRow} upserts name rows that the data does not have`, file: 'data' })
  if (report.rowsWithoutName)
    findings.push({
      what:
        `${report.rowsWithoutName} rows that no operation of the log names: a write was interrupted, or the log ` +
        'lost operations',
      file: 'data',
    })
  for (const place of report.unsupported?.places ?? [])
    findings.push({ what: 'UNSUPPORTED_VERSION: an operation of another version', ...place })
  if (report.documentsDropped)
    findings.push({
      what: `${report.documentsDropped} documents whose rows are not of unit length, or belong to another document`,
      file: 'data',
    })
  const atTheEnd = report.logBytesSkipped - report.damage.reduce((sum, { length }) => sum + length, 0)
  if (atTheEnd > 0)
    findings.push({
      what: `a half-written end: ${atTheEnd} bytes, ${report.framesSkipped} frames whole or begun`,
      file: 'log',
    })
  if (report.dataBytesSkipped)
    findings.push({ what: `a half-written end: ${report.dataBytesSkipped} bytes of a row`, file: 'data' })
  return { findings, documents: report.documents, rows: report.rows }
}

/** Checks a store, and prints what it finds. */
export async function check(directory: string, _: string[], values: Values) {
  const { findings, documents, rows } = await verify(directory)
  out(values, { directory, clean: findings.length === 0, documents, rows, findings }, () => {
    if (findings.length === 0) return say(`clean: ${count(documents)} documents, ${count(rows)} rows`)
    table(
      ['file', 'offset', 'length', 'what'],
      findings.map(({ file = '', offset, length, what }) => [
        file,
        offset === undefined ? '' : `${offset}`,
        length === undefined ? '' : `${length}`,
        what,
      ]),
    )
  })
  return findings.length === 0 ? 0 : 1
}
