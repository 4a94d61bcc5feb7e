import type { LaunchOptions } from 'playwright'

export const chromium: LaunchOptions
export const firefox: LaunchOptions
export function present(): { chromium?: string; firefox?: string }
export function webdriver(): { driver: string; binary: string; args: string[] } | undefined
