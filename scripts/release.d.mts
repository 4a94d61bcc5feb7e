export function version(): string
export function notes(version: string): { found: boolean; text: string }
export function cut(changelog: string, version: string, day: string): string
