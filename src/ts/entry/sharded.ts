import { DurableObject } from 'cloudflare:workers'
import { durableObject } from '../hosts/durable-object/host.js'
import { Router } from '../sharded/router.js'
import { Shard } from '../sharded/shard.js'
import type { ShardStorage } from '../sharded/storage.js'
import type { Namespace, ShardStub, TextChange, Whom, Call } from '../sharded/protocol.js'
import type { DurableStorage } from '../types/durable-object.js'
import type { Nidus as Store } from '../types/index.js'
import { Nidus } from './workerd.js'

export { ShardedNidus } from '../sharded/public.js'
export { NidusError } from '../errors/errors.js'

type Storage = DurableStorage & ShardStorage & { setAlarm(at: number): Promise<void> }
interface Env {
  NIDUS_SHARD?: Namespace<ShardStub>
}

export class NidusShard extends DurableObject<Env> {
  readonly #shard: Shard

  constructor(ctx: { storage: Storage }, env: Env) {
    super(ctx, env)
    const open = (dimension: number) =>
      Nidus.open('shard', {
        dimension,
        storage: durableObject(ctx.storage, { name: 'default' }),
        memory: 'compact',
      }) as unknown as Promise<Store>
    this.#shard = new Shard(ctx.storage, () => this.shards, open)
  }

  /** The namespace of all shards. A subclass with another binding overrides this. */
  get shards(): Namespace<ShardStub> {
    return this.env.NIDUS_SHARD!
  }

  call(whom: Whom, method: Call, args: unknown[]) {
    return this.#shard.call(whom, method, args)
  }
}

export class NidusRouter extends DurableObject<Env> {
  readonly #router: Router

  constructor(ctx: { storage: Storage }, env: Env) {
    super(ctx, env)
    this.#router = new Router(ctx.storage, () => this.shards)
  }

  get shards(): Namespace<ShardStub> {
    return this.env.NIDUS_SHARD!
  }

  layout(name: string, dimension: number, shards: number) {
    return this.#router.layout(name, dimension, shards)
  }

  grow(name: string, shards: number, timeout?: number) {
    return this.#router.grow(name, shards, timeout)
  }

  texts(name: string, timeout?: number, change?: TextChange) {
    return this.#router.texts(name, timeout, change)
  }

  alarm() {
    return this.#router.alarm()
  }
}
