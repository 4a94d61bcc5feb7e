export interface Session {
  go(url: string): Promise<unknown>
  reload(): Promise<unknown>
  run<A extends unknown[], R>(work: (...args: A) => R, ...args: A): Promise<Awaited<R>>
  end(): Promise<void>
}
export function installed(): { driver: string; browser: string } | undefined
export function session(): Promise<Session>
export function browse(
  url: string,
  home: string,
  args?: string[],
): Promise<{ exited: Promise<unknown>; kill(): Promise<void> }>
