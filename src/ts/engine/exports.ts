import { NidusError } from '../errors/errors.js'
import type { StoreFiles } from '../types/index.js'
import type { Exported, FileName } from '../contract/calls.js'
import { sleep } from '../runtime/schedule.js'

/** A compaction no longer waits for an export from which nothing was read for this long. */
const IDLE_MS = 60_000
const POLL_MS = 50

/**
 * The exports that are open. Between compactions both files only grow. So an export is the first bytes of both files,
 * up to the lengths that they had between two groups of writes. Compactions replace the files, so they wait for
 * exports.
 */
export class Exports {
  #used = new Map<string, number>()

  begin({ data, log }: StoreFiles, cut: Record<FileName, number>): Exported {
    // The id also differs from ids of other leaders: a follower may ask the next leader for an old export.
    const id = crypto.randomUUID()
    this.#used.set(id, Date.now())
    return { id, data: data.getSize() - cut.data, log: log.getSize() - cut.log }
  }

  /** Runs a read of an export. Throws if the export has ended before or during it. */
  async read(id: string, work: () => Promise<Uint8Array>): Promise<Uint8Array> {
    this.#use(id)
    const bytes = await work()
    this.#use(id)
    return bytes
  }

  #use(id: string) {
    if (!this.#used.has(id)) throw exportEnded()
    this.#used.set(id, Date.now())
  }

  end(id?: string) {
    if (id === undefined) this.#used.clear()
    else this.#used.delete(id)
  }

  get any(): boolean {
    return this.#used.size > 0
  }

  async done(): Promise<void> {
    while (this.any) {
      await sleep(POLL_MS)
      for (const [id, used] of this.#used) if (Date.now() - used > IDLE_MS) this.end(id)
    }
  }
}

export const exportEnded = (cause?: unknown) =>
  new NidusError('ABORTED', 'the store was compacted since this export began, or another tab has it now', { cause })
