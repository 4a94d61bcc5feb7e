/** Returns whether the page has a local copy of the model now. Never rejects. */
export function ensureModel(options?: { log?: (line: string) => void }): Promise<boolean>
