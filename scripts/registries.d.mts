export interface Sources {
  manifest: {
    repository?: { url?: string }
    homepage?: string
    bugs?: { url?: string }
    author?: string
    [key: string]: unknown
  }
  cargo: string
  changelog: string
  version: string
  env?: { [name: string]: string | undefined }
}
export interface Registry {
  name: string
  find(): Promise<{ commit?: string } | undefined>
  upload(): Promise<unknown>
}
export function addresses(repository: string): { repository: string; homepage: string; bugs: string }
export function problemsOf(sources: Sources): string[]
export function missingOf(env: { [name: string]: string | undefined }): string[]
export function publish(work: { registries: Registry[]; commit: string }): Promise<string[]>
export function registriesOf(
  version: string,
  cargo: (args: string[], options?: object) => Promise<{ code: number; output: string }>,
): Registry[]
export function sources(version: string): Sources
export function moveTo(repository: string): void
export function brokenLinks(markdown: string, committed: string[]): string[]
