/** What is known of a model without its files. */
export interface Known {
  dimension?: number
  pooling: 'mean' | 'cls'
  query: string
  passage: string
}

const INSTRUCTION = 'Represent this sentence for searching relevant passages: '

/** How families of models were trained, by their names. The first one that fits counts. */
const FAMILIES: [name: RegExp, known: Omit<Known, 'dimension'>][] = [
  [/\b(multilingual-)?e5-(small|base|large)/i, { pooling: 'mean', query: 'query: ', passage: 'passage: ' }],
  [/\bbge-(small|base|large)-en/i, { pooling: 'cls', query: INSTRUCTION, passage: '' }],
  [/\bbge-/i, { pooling: 'cls', query: '', passage: '' }],
  [/\b(mxbai-embed|snowflake-arctic-embed)/i, { pooling: 'cls', query: INSTRUCTION, passage: '' }],
  [/\bnomic-embed-text/i, { pooling: 'mean', query: 'search_query: ', passage: 'search_document: ' }],
]

/** The dimensions of models that many use. So their indexes open without any download, also offline. */
const DIMENSIONS: [name: RegExp, dimension: number][] = [
  [/\ball-MiniLM-L(6|12)-v2$/i, 384],
  [/\b(multilingual-)?e5-small(-v2)?$|\bbge-small-en(-v1\.5)?$|\bgte-small$/i, 384],
  [/\b(multilingual-)?e5-base(-v2)?$|\bbge-base-en(-v1\.5)?$|\bgte-base$|\ball-mpnet-base-v2$/i, 768],
  [/\bnomic-embed-text-v1(\.5)?$/i, 768],
  [/\b(multilingual-)?e5-large(-v2)?$|\bbge-large-en(-v1\.5)?$|\bgte-large$/i, 1024],
]

export function knownOf(model: string): Known {
  const [, family] = FAMILIES.find(([name]) => name.test(model)) ?? []
  const [, dimension] = DIMENSIONS.find(([name]) => name.test(model)) ?? []
  return { pooling: 'mean', query: '', passage: '', ...family, ...(dimension !== undefined && { dimension }) }
}
