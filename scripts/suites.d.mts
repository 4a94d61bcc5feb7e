export function timesOf(report: string | undefined, name: string): { file: string; time: number }[]
export function failuresOf(report: string | undefined, name: string): string[]
