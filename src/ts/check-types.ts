import type { NidusError as RealError } from './errors/errors.js'
import type { durableObject as RealDurableObject } from './hosts/durable-object/host.js'
import type { NidusVectorStore as RealVectorStore } from './langchain/store.js'
import type { Nidus as RealNidus } from './api/nidus.js'
import type { ShardedNidus as RealShardedNidus } from './sharded/public.js'
import type { Segment as RealSegment, initWith } from './api/segment.js'
import type * as durable from './types/durable-object.js'
import type * as langchain from './types/langchain.js'
import type * as main from './types/index.js'
import type * as sharded from './types/sharded.js'
import type * as segment from './types/segment.js'

// This file is compiled and never run. It checks that the real classes fit the types that are written by hand.
type Statics<T> = { [K in keyof T as K extends 'prototype' ? never : K]: T[K] }
type Is<Real extends Declared, Declared> = Real

interface Example extends main.Attrs {
  lang: string
  year: number
}

export type Checks = [
  Is<RealNidus, main.Nidus>,
  Is<RealNidus<Example>, main.Nidus<Example>>,
  Is<Statics<typeof RealNidus>, Statics<typeof main.Nidus>>,
  Is<RealError, main.NidusError>,
  Is<RealSegment, segment.Segment>,
  Is<Statics<typeof RealSegment>, Statics<typeof segment.Segment>>,
  Is<RealShardedNidus, sharded.ShardedNidus>,
  Is<RealShardedNidus<Example>, sharded.ShardedNidus<Example>>,
  Is<typeof RealDurableObject, typeof durable.durableObject>,
  Is<Omit<RealVectorStore, never>, Omit<langchain.NidusVectorStore, never>>,
  Is<ReturnType<typeof initWith>, typeof segment.init>,
]
