import { Nidus } from '../api/nidus.js'
import { NidusError } from '../errors/errors.js'
import type { Values } from './args.js'
import { bytes, count, out, say } from './output.js'
import { existing } from './stores.js'

/** Rewrites a store without its dead rows. */
export async function compact(directory: string, _: string[], values: Values) {
  const { dimension, recovery } = await existing(directory)
  if (recovery.orphanedRows && !values['drop-unnamed']) {
    throw new NidusError(
      'INVALID_ARGUMENT',
      `${count(recovery.orphanedRows)} rows in ${directory} are not named by any operation of the log. An ` +
        'interrupted write leaves such rows, and so does a log that lost its end. Nothing was changed: if you have ' +
        'no better copy of the log, compact with --drop-unnamed',
    )
  }
  await using db = await Nidus.open(directory, { dimension, autoCompact: false })
  const before = await db.footprint()
  if (before.deadRows > 0) await db.compact()
  const after = await db.footprint()
  out(values, { directory, before: before.diskBytes, after: after.diskBytes, deadRows: before.deadRows }, () =>
    say(
      before.deadRows === 0
        ? 'nothing to do: no dead rows'
        : `${count(before.deadRows)} dead rows removed: ${bytes(before.diskBytes)} before, ` +
            `${bytes(after.diskBytes)} now`,
    ),
  )
  return 0
}
