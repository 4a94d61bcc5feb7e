/** The part of an object's storage that a shard or the router uses to remember things. */
export interface ShardStorage {
  get<T>(key: string): Promise<T | undefined>
  put(key: string, value: unknown): Promise<void>
  delete(key: string): Promise<unknown>
  list<T>(options: { prefix: string }): Promise<Map<string, T>>
}
