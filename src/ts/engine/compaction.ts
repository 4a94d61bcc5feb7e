import { Step } from '../core/steps.js'
import { Rows, type CoreHandle, type Store } from '../core/core.js'
import { storageError } from '../errors/errors.js'
import type { StoreFiles } from '../types/index.js'
import { deadCore } from '../core/load.js'
import { NotPromoted, type Host } from '../contract/host.js'
import { checkFiles, closeHandles } from './open.js'
import { supply, type RowReader } from './rows.js'
import { inSlices } from '../runtime/schedule.js'

/**
 * The parts of the engine that compaction uses. `run` turns what the core throws into a NidusError. `fail` makes the
 * store FAILED.
 */
interface Compacting {
  readonly core: Store
  readonly host: Host
  run<T>(work: () => T): T
  fail(error: unknown): void
  /** Reads rows of the current pair, if memory need not hold them. */
  readonly reader?: RowReader | undefined
  /** Called between slices until the new pair is made current. An error that it throws ends the compaction. */
  between?(): void
}

/**
 * Writes the living documents into a new pair of files and makes that the current one. `change` lets the core take the
 * new pair in one turn of the event loop, in which no read is under way. The old pair is still open then.
 */
export async function compact(
  compacting: Compacting,
  change: (adopt: () => void, files: StoreFiles) => Promise<void>,
): Promise<void> {
  const files = await writeAnew(compacting)
  const { core, run } = compacting
  await change(() => run(() => core.adoptCompaction()), files)
  await inSlices(() => run(() => core.adoptStep()))
}

/** Writes and promotes the new pair. The core still uses the old one afterwards. */
export async function writeAnew({ core, host, run, fail, reader, between }: Compacting): Promise<StoreFiles> {
  let files: StoreFiles
  try {
    files = await host.create()
    checkFiles(files)
  } catch (error) {
    throw storageError(error, 'compaction could not make new files')
  }
  let begun = false
  const rows = new Rows()
  try {
    run(() => core.beginCompaction(files.data as CoreHandle, files.log as CoreHandle, host.lendViews === true))
    begun = true
    let state: Step
    do {
      await inSlices(
        () => (state = run(() => core.compactStep(rows))) !== Step.More,
        () => (between?.(), drain(host)),
      )
      if (state! === Step.Wanting) await supply(rows, reader!)
    } while (state! === Step.Wanting)
    between?.()
    run(() => core.finishCompaction())
    await promote(host, files, 'compaction', fail)
  } catch (error) {
    if (begun && !deadCore() && !core.failed) run(() => core.abandonCompaction())
    closeHandles(files)
    throw error
  } finally {
    if (!deadCore()) rows.free()
  }
  return files
}

async function drain(host: Host) {
  try {
    await host.drain?.()
  } catch (error) {
    throw storageError(error, 'compaction could not write its new files')
  }
}

/**
 * Makes the files the current pair. `what` names them in errors. Calls `fail` if it is unknown whether that happened.
 */
export async function promote(host: Host, files: StoreFiles, what: string, fail: (error: unknown) => void) {
  try {
    await host.promote(files)
  } catch (error) {
    if (error instanceof NotPromoted) throw storageError(error.cause, `${what} could not be made current`)
    const coded = storageError(error, `it is not known whether ${what} was made current`)
    fail(coded)
    throw coded
  }
}
