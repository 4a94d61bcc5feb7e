export interface Outcome {
  tabs: number
  closed: number
  killed: number
  frozen: number
  away: number
  acknowledged: number
  unknown: number
  lost: number
  doubled: number
}
export function run(options: {
  kind?: 'chromium' | 'firefox'
  storage?: string
  seconds?: number
  least?: number
  seed?: number
  say?: (line: string) => void
}): Promise<Outcome>
export function timesWritten(of: { name: string; storage: string }): Promise<[id: string, times: number][]>
