export function serveFolder(folder: string, headers?: Record<string, string>): Promise<{ origin: string; stop(): void }>
