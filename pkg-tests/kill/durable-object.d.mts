export function run(options?: { cycles?: number; seed?: number; say?: (line: string) => void }): Promise<{
  cycles: number
  acknowledged: number
  lost: number
  doubled: number
  compactions: number
  /** Operations that were there without their acknowledgement having left. */
  kept: number
}>
