import type { Source } from './read'

/** Returns samples for people without files of their own. Each is the summary of an npm package that many use. */
export async function sampleSources(count: number): Promise<Source[]> {
  const response = await fetch(new URL('corpus.json', document.baseURI))
  if (!response.ok) throw new Error(`the sample texts could not be loaded (HTTP ${response.status})`)
  const { entries } = (await response.json()) as { entries: [name: string, summary: string, downloads: number][] }
  return entries.slice(0, count).map(([name, summary]) => {
    const bytes = new TextEncoder().encode(`${name.replace(/[@/._-]+/g, ' ').trim()}: ${summary}`)
    return {
      path: `npm packages/${name.replace('/', '∕')}`,
      type: 'sample',
      modified: new Date(0),
      size: bytes.length,
      read: async () => bytes.buffer,
    }
  })
}
