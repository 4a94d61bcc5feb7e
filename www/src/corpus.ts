export interface Entry {
  id: string
  text: string
  downloads: number
}

export interface Corpus {
  /** Changes with any byte of the corpus, so an index made from another one is noticed. */
  version: string
  entries: Entry[]
}

export async function loadCorpus(): Promise<Corpus> {
  const response = await fetch(new URL('corpus.json', document.baseURI))
  if (!response.ok) throw new Error(`the texts could not be loaded (HTTP ${response.status})`)
  const bytes = await response.arrayBuffer()
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  const { entries } = JSON.parse(new TextDecoder().decode(bytes)) as { entries: [string, string, number][] }
  return {
    version: Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(''),
    entries: entries.map(([id, text, downloads]) => ({ id, text, downloads })),
  }
}

/** A package's name often says what its summary leaves out. */
export function embeddedText({ id, text }: Entry) {
  return `${id.replace(/[@/._-]+/g, ' ').trim()}: ${text}`
}
