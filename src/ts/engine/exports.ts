import { NidusError } from '../errors/errors.js'
import type { StoreFiles } from '../types/index.js'
import type { Exported, FileName } from '../contract/calls.js'
import { sleep } from '../runtime/schedule.js'

/** A compaction waits for an export, but not for one that nobody has read from for so long. */
const IDLE_MS = 60_000
const POLL_MS = 50

/**
 * The exports that are open. Both files only ever grow, so that their lengths at one moment between two groups are that
 * moment's state; a compaction alone puts others in their place, and so waits.
 */
export class Exports {
  #used = new Map<string, number>()

  begin({ data, log }: StoreFiles, cut: Record<FileName, number>): Exported {
    // Also unlike those of another leader, that a follower may go on to ask for.
    const id = crypto.randomUUID()
    this.#used.set(id, Date.now())
    return { id, data: data.getSize() - cut.data, log: log.getSize() - cut.log }
  }

  /** Only what was read while the export stood counts. */
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
  new NidusError(
    'ABORTED',
    'the store is no longer what this export began with: it was compacted (an export that is not read is not waited for), or another tab has it now',
    { cause },
  )
