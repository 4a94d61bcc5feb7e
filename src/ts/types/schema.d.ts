import type { Attrs, AttrsOf } from './attrs.js'
import type { Hit } from './records.js'

/**
 * The constraint on the type of a store: either one type of attributes for all collections, or an object type with a
 * type of attributes for each collection.
 *
 * ```ts
 * const all = await Nidus.open<{ lang: string }>('docs')
 * const each = await Nidus.open<{ docs: { lang: string }; notes: { pinned: boolean } }>('app')
 * ```
 */
export type StoreOf<S> = AttrsOf<S> | { [C in keyof S]: AttrsOf<S[C]> & object }

/** The names of the collections of a store: any, unless its type names them. */
export type CollectionOf<S> = S extends AttrsOf<S> ? string : keyof S & string

/** The type of the attributes in a collection of a store. */
export type AttrsIn<S, C extends string = string> = S extends AttrsOf<S> ? S : C extends keyof S ? S[C] : never

/**
 * A hit of a search in these collections of a store. If the store's type names its collections, `collection` tells the
 * type of `attrs`.
 */
export type HitIn<S = Attrs, C extends string = string> =
  S extends AttrsOf<S> ? Hit<S> : { [K in C & keyof S]: Hit<S[K], K & string> }[C & keyof S]
