import { DurableObject } from 'cloudflare:workers'

/** The value of a key. `endMs` is the end of its lifetime in epoch milliseconds; 0 means that it has no end. */
export interface StoredEntry {
  readonly value: string
  readonly endMs: number
  /** A new number for each write. No number is used twice, whatever is stored under the key. */
  readonly version: number
}

const SWEPT_PER_WRITE = 8
/** UTF-16 units after which `read` takes no further value. A call carries 32 MiB, and one more value may add 1,900,000 units. */
const MAX_UNITS = 12_000_000

/**
 * The Durable Object behind `durableObjectStore`. Export it from the Worker, and name it in `wrangler.toml` as a class with
 * SQLite (`new_sqlite_classes`). Calls run one at a time, because no method waits between its reads and its writes.
 */
export class HitherObject extends DurableObject {
  readonly #sql: SqlStorage
  constructor(state: DurableObjectState, env: unknown) {
    super(state, env)
    this.#sql = state.storage.sql
    this.#sql.exec(`CREATE TABLE IF NOT EXISTS entries
      (version INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, value TEXT NOT NULL, end INTEGER NOT NULL)`)
    this.#sql.exec('CREATE INDEX IF NOT EXISTS ends ON entries (end) WHERE end > 0')
  }
  /** Resolves to the values of the first keys: as many as the platform carries in one call, at least one. */
  async read(keys: readonly string[]): Promise<(StoredEntry | undefined)[]> {
    const found: (StoredEntry | undefined)[] = []
    for (let units = 0; found.length < keys.length && units < MAX_UNITS; ) {
      const entry = this.#find(keys[found.length] as string)
      units += entry?.value.length ?? 0
      found.push(entry)
    }
    return found
  }
  async put(key: string, value: string, endMs: number): Promise<void> {
    this.#store(key, value, endMs)
  }
  /** Resolves to the number of keys that had a value. */
  async remove(keys: readonly string[]): Promise<number> {
    const found = keys.filter((key) => this.#find(key) !== undefined)
    for (const key of keys) this.#sql.exec('DELETE FROM entries WHERE key = ?', key)
    return found.length
  }
  /** Replaces the value if `version` is still its version; 0 means that there is none. Resolves to whether it was replaced. */
  async swap(next: {
    readonly key: string
    readonly version: number
    readonly value: string | undefined
    readonly endMs: number
  }): Promise<boolean> {
    const { key, version, value, endMs } = next
    if ((this.#find(key)?.version ?? 0) !== version) return false
    if (value === undefined) this.#sql.exec('DELETE FROM entries WHERE key = ?', key)
    else this.#store(key, value, endMs)
    return true
  }
  #find(key: string): StoredEntry | undefined {
    const [row] = this.#sql.exec('SELECT version, value, end FROM entries WHERE key = ?', key).toArray()
    if (!row) return undefined
    const endMs = Number(row.end)
    return endMs > 0 && endMs <= Date.now()
      ? undefined
      : { value: String(row.value), endMs, version: Number(row.version) }
  }
  #store(key: string, value: string, endMs: number): void {
    this.#sql.exec('INSERT OR REPLACE INTO entries (key, value, end) VALUES (?, ?, ?)', key, value, endMs)
    this.#sql.exec(
      `DELETE FROM entries WHERE version IN
        (SELECT version FROM entries WHERE end > 0 AND end <= ? LIMIT ${SWEPT_PER_WRITE})`,
      Date.now(),
    )
  }
}
