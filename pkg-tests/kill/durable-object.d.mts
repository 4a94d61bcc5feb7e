export function run(options?: { cycles?: number; seed?: number; say?: (line: string) => void }): Promise<{
  cycles: number
  acknowledged: number
  lost: number
  doubled: number
  compactions: number
  /** The number of operations that are in the store, although the test received no acknowledgement of them. */
  kept: number
}>
