import { markdownSections } from './markdown'
import type { Section } from './passages'

export type Type = 'markdown' | 'text' | 'html' | 'pdf' | 'sample'

/** A text to be indexed. Its `path` is unique. */
export interface Source {
  path: string
  type: Type
  modified: Date
  size: number
  read(): Promise<ArrayBuffer>
}

const TYPES: Record<string, Type> = {
  md: 'markdown',
  markdown: 'markdown',
  mdx: 'markdown',
  txt: 'text',
  text: 'text',
  org: 'text',
  rst: 'text',
  csv: 'text',
  log: 'text',
  html: 'html',
  htm: 'html',
  xhtml: 'html',
  pdf: 'pdf',
}

export const typeOf = (path: string): Type | undefined => TYPES[/\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? '']
export const ACCEPT = Object.keys(TYPES)
  .map((ending) => `.${ending}`)
  .join()

export class UnreadableError extends Error {
  override name = 'UnreadableError'
}

export async function sectionsOf(type: Type, bytes: ArrayBuffer): Promise<Section[]> {
  if (type === 'pdf') {
    try {
      return await (await import('./pdf')).pdfSections(bytes)
    } catch (cause) {
      throw new UnreadableError('it is no PDF that can be read (damaged, or with a password)', { cause })
    }
  }
  const text = decode(bytes)
  if (type === 'markdown') return markdownSections(text)
  if (type === 'html') return (await import('./html')).htmlSections(text)
  return [{ headings: [], text }]
}

/** Returns the text of a file. It may be UTF-8, UTF-16 with a byte order mark, or else Windows-1252. */
function decode(bytes: ArrayBuffer): string {
  const head = new Uint8Array(bytes, 0, Math.min(bytes.byteLength, 4096))
  if (head[0] === 0xff && head[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes)
  if (head[0] === 0xfe && head[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes)
  if (head.includes(0)) throw new UnreadableError('it is no text')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return new TextDecoder('windows-1252').decode(bytes)
  }
}

export async function hashOf(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
