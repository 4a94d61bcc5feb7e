import { invalid } from '../errors/errors.js'
import type { Attrs, AttrValue, Filter } from '../types/attrs.js'
import type { Chunk, ListedDocument, Passage, StoredDocument, TextFormat } from '../types/text-index.js'
import { Writer } from '../core/wire.js'
import { hashOf } from './hash.js'

/** The collection with all passages. Each is a record. */
export const COLLECTION = 'passages'
/** The fields in which words are found. A word of a title says more about a document than one of its text. */
export const FIELDS = { title: { weight: 3 }, headings: { weight: 2 }, text: { weight: 1 } }

/** The attributes of a passage, besides those of its document. */
export type PassageAttrs = Attrs & {
  text: string
  title?: string
  headings?: string[]
  /** The id of the document, and the number of the passage in it. */
  _doc: string
  _n: number
  _start: number
  _end: number
  /** A hash of what is embedded. */
  _hash: string
  /** Present while the passage has no vector yet. Its vector is zeros then, so it is found by its words alone. */
  _pending?: true
  /** In the first passage: a hash of the document, and the number of its passages. */
  _digest?: string
  _of?: number
  /** In the first passage: how many passages the document had before, until the surplus is removed. */
  _was?: number
}

const OWN = new Set(['text', 'title', 'headings'])
const isOwn = (key: string) => key.startsWith('_') || OWN.has(key)

/** Returns a filter for what matches all of these. */
export const and = (...filters: (Filter | undefined)[]): Filter => ({
  $and: filters.filter((filter) => filter !== undefined),
})

/** The number comes first, so an id of any form gives no other document's passage. */
export const passageId = (document: string, n: number) => `${n}:${document}`

/** Returns the ids of a document's passages from number `from` to before `to`. */
export const passageIds = (document: string, from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => passageId(document, from + i))

export interface Document {
  id: string
  text: string
  title: string | undefined
  format: TextFormat
  attrs: Attrs
}

export function checkAttrs(attrs: Attrs, who: string) {
  const own = Object.keys(attrs).find(isOwn)
  if (own !== undefined)
    throw invalid(
      `${who}: \`attrs.${own.slice(0, 60)}\` is a key of the index itself ` +
        '(`text`, `title`, `headings`, and those that begin with `_`). Use another name',
    )
  // Here the error names the document. The store would name a record that the caller does not know.
  new Writer().attrs(attrs, () => who)
}

/** Returns a hash of all that a document says. */
export const digestOf = ({ text, title, format, attrs }: Document, chunker: string) =>
  hashOf(
    [
      chunker,
      format,
      title ?? '',
      ...Object.keys(attrs)
        .sort()
        .map((key) => shown(key, attrs[key])),
      text,
    ].join('\0'),
  )

const shown = (key: string, value: AttrValue | undefined) => {
  const kind = value instanceof Date ? 'date' : typeof value
  const text = Array.isArray(value) ? JSON.stringify(value) : value instanceof Date ? value.getTime() : String(value)
  return value === undefined ? '' : `${JSON.stringify(key)}:${kind}:${text}`
}

/** Returns what is embedded for a passage: title and headings say much about its subject. */
export function embeddedText({ title, headings, text }: Pick<PassageAttrs, 'title' | 'headings' | 'text'>): string {
  const above = [title, ...(headings ?? [])].filter((each) => each !== undefined && each !== '').join(' › ')
  return above && text ? `${above}\n${text}` : above || text
}

/** Returns whether a passage has anything to embed. */
export const hasMeaning = (attrs: Pick<PassageAttrs, 'title' | 'headings' | 'text'>) =>
  embeddedText(attrs).trim() !== ''

/** Returns the attributes of all passages of a document. A document without text has one passage. */
export function passagesOf(document: Document, chunks: Chunk[], digest: string): PassageAttrs[] {
  const parts = chunks.length > 0 ? chunks : [{ text: '', start: 0, end: 0 }]
  return parts.map(({ text, start, end, headings }: Chunk, n) => ({
    ...document.attrs,
    text,
    ...(document.title !== undefined && { title: document.title }),
    ...(headings?.length && { headings }),
    _doc: document.id,
    _n: n,
    _start: start,
    _end: end,
    _hash: hashOf(embeddedText({ title: document.title, headings, text })),
    ...(n === 0 && { _digest: digest, _of: parts.length }),
  }))
}

export function attrsOf<A>(attrs: PassageAttrs): A {
  return Object.fromEntries(Object.entries(attrs).filter(([key]) => !isOwn(key))) as A
}

export const listedOf = <A>(first: PassageAttrs): ListedDocument<A> => ({
  id: first._doc,
  title: first.title,
  attrs: attrsOf<A>(first),
  passages: first._of ?? 1,
})

export const passageOf = ({ text, headings, _start, _end, _n }: PassageAttrs): Passage => ({
  text,
  start: _start,
  end: _end,
  headings: headings ?? [],
  number: _n,
})

export function documentOf<A>(passages: PassageAttrs[]): StoredDocument<A> {
  const [first] = passages
  return { ...listedOf<A>(first), passages: passages.map(passageOf) }
}
