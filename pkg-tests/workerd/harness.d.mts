export interface Served {
  url: string
  pid: number
  /** The address of V8's inspector, with `inspect`. */
  inspector: string | undefined
  /** The program's output. */
  output(): string
  exited: Promise<unknown>
  kill(): Promise<void>
  stop(): Promise<void>
}
export function bundle(
  directory: string,
  entry: string,
  options?: { folder?: string; alias?: Record<string, string> },
): Promise<void>
export function serve(
  directory: string,
  options?: {
    objects?: Record<string, boolean>
    date?: string
    flags?: string[]
    vars?: Record<string, string>
    inspect?: boolean
  },
): Promise<Served>
