export const SETS: ('dictionary' | 'emoji')[]
export function textsOf(name: 'dictionary' | 'emoji'): {
  rows: string[][]
  texts: string[]
  examples: string[]
  digest: string
}
export function notices(): string
