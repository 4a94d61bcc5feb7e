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
 * What compaction needs of the engine. `run` turns what the core throws into errors of ours; `fail` makes the store
 * FAILED.
 */
export interface Compacting {
  readonly core: Store
  readonly host: Host
  run<T>(work: () => T): T
  fail(error: unknown): void
  /** The current pair's rows, where memory need not hold them. */
  readonly reader?: RowReader | undefined
  /** Called between slices until the new pair is made current; what it throws ends the compaction. */
  between?(): void
}

/**
 * Writes what is live into a fresh pair and makes that current. `change` makes it so in one turn, in which nobody is in
 * the middle of reading; the old one is still open.
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

/** Up to the promotion: the new pair is the current one, and the core still goes by the old one. */
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

/** `what` is being made current; `fail` is told if nobody knows whether it was. */
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
