export type Kind = 'boolean' | 'false' | 'number' | 'string' | 'word' | 'function' | 'array' | 'object'
/** One object that a public method takes: its keys, and the types of each. */
export interface Taken {
  place: string
  keys: string[]
  options: { key: string; takes: Kind[] }[]
}
/** Returns all objects that public methods take, and the names of the public methods of each class. */
export function publicTypes(): { taken: Taken[]; methods: Record<string, string[]> }
