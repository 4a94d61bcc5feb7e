import { salvage } from '../engine/salvage.js'
import { NidusError } from '../errors/errors.js'
import { fsHost } from '../hosts/fs/host.js'
import { memoryHost } from '../hosts/memory.js'

/** Something wrong, and where. */
export interface Finding {
  what: string
  file?: 'data' | 'log'
  offset?: number
  length?: number
}

/** Everything that the format can tell of a store's bytes; nothing is written. As salvage would, into memory. */
export async function verify(directory: string): Promise<{ findings: Finding[]; documents: number; rows: number }> {
  const nowhere = { from: fsHost(directory), into: memoryHost('verified') }
  let report
  try {
    report = await salvage(
      { name: directory, into: 'verified', dimension: undefined },
      {
        from: (work) => work(nowhere.from),
        probe: () => Promise.reject(new NidusError('NOT_FOUND', 'memory is empty')),
        into: (work) => work(nowhere.into),
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
  const { salvaged, logBytes, dataBytes, frames } = report
  const findings: Finding[] = []
  if (salvaged) {
    for (const { offset, length } of salvaged.damage) findings.push({ what: 'damage', file: 'log', offset, length })
    if (salvaged.damages > salvaged.damage.length)
      findings.push({ what: `${salvaged.damages - salvaged.damage.length} more places of damage`, file: 'log' })
    if (salvaged.missingRows)
      findings.push({ what: `${salvaged.missingRows} upserts of rows that the data does not have`, file: 'data' })
    if (salvaged.unnamedRows)
      findings.push({
        what: `${salvaged.unnamedRows} rows that no operation of the log names: of an interrupted write, or of a log that lost operations`,
        file: 'data',
      })
    for (const { offset, length } of salvaged.unsupported?.places ?? [])
      findings.push({ what: 'UNSUPPORTED_VERSION: an operation of another version', file: 'log', offset, length })
    if (salvaged.damagedRows)
      findings.push({
        what: `${salvaged.damagedRows} documents whose rows are not of unit length, or are another's`,
        file: 'data',
      })
  }
  const damaged = salvaged?.damage.reduce((sum, { length }) => sum + length, 0) ?? 0
  if (logBytes > damaged)
    findings.push({ what: `a torn end: ${logBytes - damaged} bytes, ${frames} frames whole or begun`, file: 'log' })
  if (dataBytes) findings.push({ what: `a torn end: ${dataBytes} bytes of a row`, file: 'data' })
  return { findings, documents: salvaged?.documents ?? 0, rows: salvaged?.rows ?? 0 }
}
