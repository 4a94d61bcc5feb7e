export interface Result {
  changes: number
  killed: number
  closed: number
  writes: number
  acknowledged: number
  deleted: number
  twice: number
  lost: number
  unknown: number
  told: number
}
export function run(options: { changes?: number; relaxed?: boolean; say?: (line: string) => void }): Promise<Result>
