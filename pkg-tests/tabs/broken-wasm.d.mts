export function withMemory(pages: number): Buffer
export function trapping(name: string): Buffer
