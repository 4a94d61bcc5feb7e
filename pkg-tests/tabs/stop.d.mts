import type { Page } from 'playwright'
export function processOf(profile: string, page: Page): Promise<number>
export function stop(pid: number): Promise<void>
export function goOn(pid: number): void
