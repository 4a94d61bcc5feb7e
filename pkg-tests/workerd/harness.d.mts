export interface Served {
  url: string
  /** What it wrote to its terminal. */
  output(): string
  exited: Promise<unknown>
  kill(): Promise<void>
  stop(): Promise<void>
}
export function bundle(directory: string, entry: string, options?: { folder?: string; alias?: Record<string, string> }): Promise<void>
export function serve(directory: string, options?: { objects?: Record<string, boolean>; date?: string }): Promise<Served>
