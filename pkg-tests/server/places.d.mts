export interface Running {
  url: string
  pid: number
  inspector?: string | undefined
  /** The program's output, except for its address. */
  output(): string
  kill(): Promise<unknown>
  stop(): Promise<unknown>
}
export interface Answer {
  status: number
  headers: Headers
  body: any
}
export const TOKEN: string
export const PLACES: Record<
  'workerd' | 'Deno' | 'Bun',
  (directory: string, options: { dimension: number; token?: string; inspect?: boolean }) => Promise<Running>
>
export function ask(
  url: string,
  path: string,
  body?: unknown,
  options?: { token?: string; method?: string; headers?: Record<string, string> },
): Promise<Answer>
