export const EXAMPLES: Record<'dictionary' | 'emoji', { question: string; finds: string[] }[]>
