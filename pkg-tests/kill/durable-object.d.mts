export function run(options?: { cycles?: number; seed?: number; say?: (line: string) => void }): Promise<{
  cycles: number
  acknowledged: number
  lost: number
  doubled: number
  compactions: number
  /** The number of operations that were made although their acknowledgement had not left the process. */
  kept: number
}>
