export function timesOf(report: string | undefined, name: string): { file: string; time: number }[]
