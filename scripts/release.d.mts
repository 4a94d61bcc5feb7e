export function version(): string
export function notes(version: string): { found: boolean; text: string }
