export interface Job {
  name: string
  ready?: () => boolean
  takes?: string
}
export function sideBySide<T extends Job>(jobs: T[], atOnce: number, work: (job: T) => Promise<unknown>): Promise<void>
export class Turns {
  constructor(write: (text: string) => void)
  voice(): { say(text: string): void; end(): void }
  all(): void
}
