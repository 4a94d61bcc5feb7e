export interface Ways {
  ranges?: boolean
  gzip?: boolean
  etags?: 'weak' | false
  dates?: boolean
  deaf?: boolean
  cut?: number | undefined
  short?: number
  shifted?: boolean
  status?: number | undefined
  slow?: number | undefined
  headers?: Record<string, string>
  head?: number
  page?: boolean
  endless?: boolean
  longer?: number
  silent?: ((path: string, asked: StaticServer['asked']) => 'head' | 'body' | undefined) | undefined
  onSilent?: () => void
  onCut?: () => void
  break?: ((path: string) => number | 'cut' | undefined) | undefined
}
export interface StaticServer {
  origin: string
  ways: Ways
  asked: {
    method: string
    pathname: string
    range: string | undefined
    status?: number
    sent: number
    headers: Record<string, string>
  }[]
  stop(): Promise<void>
  start(): Promise<void>
}
export function serveStatic(
  files: (path: string) => Uint8Array | undefined,
  ways?: Ways,
  others?: (path: string) => { type: string; bytes: Uint8Array } | undefined,
): Promise<StaticServer>
export function directory(at: string, dir: string): (path: string) => Uint8Array | undefined
