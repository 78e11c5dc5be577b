import type { Kind } from './caches.ts'

/** An entry as a map holds it: no bytes, no clock but that of the test. */
export interface Held {
  value: unknown
  freshUntil: number
  expires: number
  readonly tags: ReadonlyMap<string, string>
  readonly generation: number
  /** `i`: a whole number, which every cache reads; `j`: plain JSON; `r`: other values; else the mark of a codec. */
  mark: string
}

export interface Seen {
  readonly status: 'fresh' | 'stale' | 'absent'
  /** The entry, also where it counts as absent. */
  readonly held: Held | undefined
}

export interface HowLong {
  readonly ttlMs: number
  readonly graceMs: number
  readonly tags?: readonly string[] | undefined
}

/** The versions of a namespace at one moment. */
export interface Versions {
  readonly generation: number
  readonly tags: ReadonlyMap<string, string>
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && !Object.is(value, -0)
const isPlain = (value: unknown): boolean =>
  value instanceof Date || value instanceof Map || Object.is(value, -0)
    ? false
    : typeof value !== 'object' || value === null || Object.values(value).every(isPlain)

/** What caches over one store must find, as one map. */
export class Reference {
  readonly #held = new Map<string, Held>()
  readonly #generations = new Map<string, number>()
  /** By tag, `hard.soft`. */
  readonly #tags = new Map<string, string>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  versions(space: string, names: readonly string[]): Versions {
    const tags = new Map(names.map((name) => [name, this.#tags.get(`${space} ${name}`) ?? '0.0'] as const))
    return { generation: this.#generations.get(space) ?? 0, tags }
  }

  look(kind: Kind, space: string, key: string): Seen {
    const held = this.#held.get(`${space} ${key}`)
    if (!held || held.expires <= this.#now()) return { status: 'absent', held: undefined }
    const { generation, tags } = this.versions(space, [...held.tags.keys()])
    const pairs = [...held.tags].map(([name, version]) => [version, tags.get(name) as string] as const)
    const hasEnded = pairs.some(([then, now]) => then.split('.')[0] !== now.split('.')[0])
    const isReadable = this.#reads(kind, held.mark)
    const isDead = held.generation !== generation || hasEnded || !isReadable || (!kind.hasTags && held.tags.size > 0)
    if (isDead) return { status: 'absent', held }
    const isStale = pairs.some(([then, now]) => then !== now)
    if (!isStale && held.freshUntil > this.#now()) return { status: 'fresh', held }
    return { status: hasGrace(held) ? 'stale' : 'absent', held }
  }

  put(kind: Kind, key: string, value: unknown, { space, life, versions }: PutOptions): Held {
    const now = this.versions(space, life.tags ?? [])
    const { generation, tags } = versions ?? now
    const freshUntil = this.#now() + life.ttlMs
    const mark = kind.codec ?? (isCount(value) ? 'i' : isPlain(value) ? 'j' : 'r')
    const held = { value, freshUntil, expires: freshUntil + life.graceMs, tags, generation, mark }
    this.#held.set(`${space} ${key}`, held)
    return held
  }

  remove(space: string, key: string): void {
    this.#held.delete(`${space} ${key}`)
  }

  touch(held: Held, { ttlMs, graceMs }: HowLong): void {
    held.freshUntil = this.#now() + ttlMs
    held.expires = held.freshUntil + graceMs
  }

  clear(space: string): void {
    this.#generations.set(space, (this.#generations.get(space) ?? 0) + 1)
  }

  invalidate(space: string, tag: string, keepStale: boolean): void {
    const [hard, soft] = (this.#tags.get(`${space} ${tag}`) ?? '0.0').split('.').map(Number) as [number, number]
    this.#tags.set(`${space} ${tag}`, keepStale ? `${hard}.${soft + 1}` : `${hard + 1}.0`)
  }

  #reads({ codec, keepsAll }: Kind, mark: string): boolean {
    if (mark === 'i') return true
    return codec ? mark === codec : mark === 'j' || (keepsAll && mark === 'r')
  }
}

export interface PutOptions {
  readonly space: string
  readonly life: HowLong
  readonly versions?: Versions
}

export function hasGrace({ freshUntil, expires }: Held): boolean {
  return freshUntil !== expires
}
