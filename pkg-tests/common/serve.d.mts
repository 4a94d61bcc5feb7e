export function serveFolder(folder: string): Promise<{ origin: string; stop(): void }>
