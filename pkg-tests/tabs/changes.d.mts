export interface Result {
  changes: number
  killed: number
  closed: number
  writes: number
  events: number
  resets: number
  uncommitted: number
  missed: number
  calms: number
}
export function run(options: { changes?: number; relaxed?: boolean; say?: (line: string) => void }): Promise<Result>
