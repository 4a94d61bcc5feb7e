import type { Nidus, TextSettings } from '../types/index.js'
import { Serial } from '../runtime/serial.js'
import type { ShardStorage } from './storage.js'

/** The settings of all collections' texts. */
export type Settings = [collection: string, fields: TextSettings][]

const KEY = 'nidus-texts'

interface Kept {
  /** Grows with each change. */
  version: number
  settings: Settings
  /** True until all shards have them. */
  pending: boolean
}

const same = (a: TextSettings | undefined, b: TextSettings | undefined) => JSON.stringify(a) === JSON.stringify(b)

/** The settings as the router has them. It tells all shards, and goes on after a restart. */
export class RouterTexts {
  readonly #storage: ShardStorage
  readonly #tell: (version: number, settings: Settings) => Promise<unknown>
  #kept: Promise<Kept>
  /** Changes of what is kept. */
  readonly #deciding = new Serial()
  #running: Promise<void> | undefined

  /** `tell` resolves once every shard has the settings. */
  constructor(storage: ShardStorage, tell: (version: number, settings: Settings) => Promise<unknown>) {
    this.#storage = storage
    this.#tell = tell
    this.#kept = storage.get<Kept>(KEY).then((kept) => kept ?? { version: 0, settings: [], pending: false })
    this.#kept.catch(() => {})
  }

  get kept(): Promise<Readonly<Kept>> {
    return this.#kept
  }

  /** Notes the settings of a collection, or with null that it has none. Then `finish` tells the shards. */
  set(collection: string, fields: TextSettings | null): Promise<void> {
    return this.#deciding.run(async () => {
      const { version, settings } = await this.#kept
      const known = settings.find(([name]) => name === collection)
      if (same(known?.[1], fields ?? undefined)) return
      const others = settings.filter((each) => each !== known)
      await this.#keep({
        version: version + 1,
        settings: fields ? [...others, [collection, fields]] : others,
        pending: true,
      })
    })
  }

  /** Resolves once all shards have the newest settings. */
  finish(): Promise<void> {
    return (this.#running ??= this.#run().finally(() => (this.#running = undefined)))
  }

  async #run() {
    for (;;) {
      const { version, settings, pending } = await this.#kept
      if (!pending) return
      await this.#tell(version, settings)
      await this.#deciding.run(async () => {
        // Newer settings may have come meanwhile.
        const now = await this.#kept
        if (now.version === version) await this.#keep({ ...now, pending: false })
      })
    }
  }

  async #keep(kept: Kept) {
    await this.#storage.put(KEY, kept)
    this.#kept = Promise.resolve(kept)
  }
}

/** The settings as a shard has them. */
export class ShardTexts {
  readonly #storage: ShardStorage
  readonly #store: () => Promise<Nidus>
  /** The newest version that arrived. It is stored, so that an older one is also refused after a restart. */
  #newest = 0
  #work: { version: number; done: Promise<unknown> } = { version: 0, done: Promise.resolve() }

  constructor(storage: ShardStorage, store: () => Promise<Nidus>) {
    this.#storage = storage
    this.#store = store
  }

  async wake() {
    this.#newest = (await this.#storage.get<number>(KEY)) ?? 0
  }

  /**
   * Puts settings into use. Returns 0 once the store has them. Returns 1 if it is still reading its records for them
   * after `patience` milliseconds.
   */
  async take(patience: number, version: number, settings: Settings): Promise<number> {
    if (version < this.#newest) return 0
    if (version > this.#newest) {
      this.#newest = version
      await this.#storage.put(KEY, version)
    }
    if (this.#work.version !== version) {
      const apply = () => this.#apply(version, settings)
      const work = (this.#work = { version, done: this.#work.done.then(apply, apply) })
      work.done.catch(() => (work.version = 0))
    }
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<number>((resolve) => (timer = setTimeout(() => resolve(1), patience)))
    return Promise.race([this.#work.done.then(() => 0), late]).finally(() => clearTimeout(timer))
  }

  async #apply(version: number, settings: Settings) {
    if (version < this.#newest) return
    const db = await this.#store()
    const wanted = new Map(settings)
    for (const name of await db.collections())
      if (!wanted.has(name) && (await db.getText(name)) !== undefined) await db.setText(name, null)
    for (const [name, fields] of wanted) if (!same(await db.getText(name), fields)) await db.setText(name, fields)
  }
}
