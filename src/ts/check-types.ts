import type { NidusError as RealError } from './errors/errors.js'
import type { durableObject as RealDurableObject } from './hosts/durable-object/host.js'
import type { liveStore } from './live/openings.js'
import type { liveSearch } from './live/search.js'
import type { NidusVectorStore as RealVectorStore } from './langchain/store.js'
import type { Nidus as RealNidus } from './api/nidus.js'
import type { ShardedNidus as RealShardedNidus } from './sharded/public.js'
import type { Segment as RealSegment, initWith } from './api/segment.js'
import type { useNidus, useSearch } from './react/index.js'
import type { textIndexOf } from './text-index/index.js'
import type * as durable from './types/durable-object.js'
import type * as langchain from './types/langchain.js'
import type * as live from './types/live.js'
import type * as main from './types/index.js'
import type * as react from './types/react.js'
import type * as sharded from './types/sharded.js'
import type * as segment from './types/segment.js'
import type * as text from './types/text-index.js'

// This file is compiled and never run. It checks that the real classes fit the types that are written by hand.
type Statics<T> = { [K in keyof T as K extends 'prototype' ? never : K]: T[K] }
type Is<Real extends Declared, Declared> = Real
type RealTextIndex = ReturnType<typeof textIndexOf>

interface Example extends main.Attrs {
  lang: string
  year: number
}

/** Their types have a parameter, which must be given for a comparison. */
type Opens = 'open' | 'import' | 'fromStatic'

export type Checks = [
  Is<RealNidus, main.Nidus>,
  Is<RealNidus<Example>, main.Nidus<Example>>,
  Is<Omit<Statics<typeof RealNidus>, Opens>, Omit<Statics<typeof main.Nidus>, Opens>>,
  Is<typeof RealNidus.open<Example>, typeof main.Nidus.open<Example>>,
  Is<typeof RealNidus.import<Example>, typeof main.Nidus.import<Example>>,
  Is<typeof RealNidus.fromStatic<Example>, typeof main.Nidus.fromStatic<Example>>,
  Is<RealError, main.NidusError>,
  Is<RealSegment, segment.Segment>,
  Is<Statics<typeof RealSegment>, Statics<typeof segment.Segment>>,
  Is<RealShardedNidus, sharded.ShardedNidus>,
  Is<RealShardedNidus<Example>, sharded.ShardedNidus<Example>>,
  Is<typeof RealDurableObject, typeof durable.durableObject>,
  Is<Omit<RealVectorStore, never>, Omit<langchain.NidusVectorStore, never>>,
  Is<RealTextIndex['prototype'], text.TextIndex<unknown>>,
  Is<Omit<Statics<RealTextIndex>, 'open'>, Omit<Statics<typeof text.TextIndex>, 'open'>>,
  Is<RealTextIndex['open'], typeof text.TextIndex.open>,
  Is<ReturnType<typeof initWith>, typeof segment.init>,
  Is<typeof liveStore<main.Nidus>, typeof live.liveStore<main.Nidus>>,
  // What these return depends on the type of their source. They do not look at it.
  Is<Parameters<typeof live.liveSearch<main.Nidus>>, Parameters<typeof liveSearch>>,
  Is<ReturnType<typeof liveSearch>, live.LiveSearch<live.Searchable>>,
  Is<Parameters<typeof react.useNidus<live.Searchable>>, Parameters<typeof useNidus>>,
  Is<ReturnType<typeof useNidus>, ReturnType<typeof react.useNidus<live.Searchable>>>,
  Is<Parameters<typeof react.useSearch<main.Nidus>>, Parameters<typeof useSearch>>,
  Is<ReturnType<typeof useSearch>, ReturnType<typeof react.useSearch<live.Searchable>>>,
]
