import type { BrowserContext, LaunchOptions, Page } from 'playwright'
export function site(options?: {
  missing?: string[]
  shared?: () => Promise<void>
}): Promise<{ url: string; close(): Promise<void> }>
export function browser(
  kind: 'chromium' | 'firefox',
  options?: LaunchOptions,
  kept?: string,
): Promise<{ context: BrowserContext; profile: string; close(): Promise<void> }>
export function visit(context: BrowserContext, url: string): Promise<Page>
