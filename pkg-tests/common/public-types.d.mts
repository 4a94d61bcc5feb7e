export type Kind = 'boolean' | 'false' | 'number' | 'string' | 'word' | 'function' | 'array' | 'object'
/** One object that a public method takes: its keys, and what each may be. */
export interface Taken {
  place: string
  keys: string[]
  options: { key: string; takes: Kind[] }[]
}
/** All objects that public methods take, and by class the names of its public methods. */
export function publicTypes(): { taken: Taken[]; methods: Record<string, string[]> }
