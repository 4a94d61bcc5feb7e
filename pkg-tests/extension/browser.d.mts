import type { BrowserContext, Page } from 'playwright'
export const CSP: string
export function extension(options: {
  module: boolean
  csp?: string
}): Promise<{ start(): Promise<{ context: BrowserContext; close(): Promise<void> }>; url: string; remove(): void }>
export function visit(context: BrowserContext, url: string): Promise<Page>
