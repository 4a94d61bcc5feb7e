export interface Suite {
  name: string
  minutes: number
}
export const LONG: Suite[]
export function fitting<T extends Suite>(suites: T[], minutes: number): T[]
