import { NONE } from '../protocol/entry.ts'
import { NEVER } from '../runtime/clock.ts'
import { perTick } from '../runtime/per-tick.ts'
import { randomId } from '../runtime/random.ts'
import type { AtomicStore, Call } from '../store/store.ts'
import { createRecent } from './recent.ts'
import { captureVersion, isVersion } from './steps/versions.ts'

/**
 * What an entry must have been loaded under to be valid: the namespace's generation, and a version for each of its
 * tags. A version is random, so that one which was lost never returns; a missing one equals nothing.
 */
export interface CapturedVersions {
  readonly generation: string
  /** By tag: 16 characters that end it, then 16 that only make it stale. */
  readonly tags: ReadonlyMap<string, string>
}

/** The versions that a write is stamped with. */
export interface Stamp {
  readonly versions: CapturedVersions
  /** The tags whose versions are renewed with the write; their versions were captured by this call, if there are none. */
  readonly names: readonly string[]
  /** The versions come from memory: another process may have ended them before this call began. */
  readonly remembered: boolean
}

/** The stored keys of a namespace. In the plain format keys are as given. */
export interface NamespaceKeys {
  key(key: string): string
  readonly generation: string
  tag(tag: string): string
}

export interface VersionMemory {
  /** Changes when something is forgotten: a read that was sent before may not be noted after. */
  readonly epoch: number
  /** Takes note of a version that a read sent in `epoch` has shown; undefined: it is missing. */
  note(key: string, version: string | undefined, epoch: number): void
  /** The versions now, as far as the last five seconds have shown all of them. */
  recallAll(space: NamespaceKeys, names: readonly string[]): CapturedVersions | undefined
  /** The version seen in the last five seconds, if any; with `beforeMs`, seen before that instant. */
  recall(key: string, beforeMs?: number): string | undefined
  /**
   * The versions now, made where they are missing. Each tag then lives as long as an entry of `lifeMs`, and a margin.
   * `generation`, where it is known already.
   */
  capture(
    space: NamespaceKeys,
    names: readonly string[],
    call: Call,
    options: CaptureOptions,
  ): Promise<CapturedVersions>
  /** As `capture` does with lifetimes, but makes nothing: for an entry whose versions are settled. */
  renew(space: NamespaceKeys, names: readonly string[], call: Call, lifeMs: number): Promise<unknown>
  forget(key: string): void
}

export interface CaptureOptions {
  /** How long what is written under these versions lives, in milliseconds. */
  readonly lifeMs: number
  readonly generation?: string | undefined
}

/** How long a version seen is taken for the current one. */
const REMEMBERED_MS = 5000
/**
 * How much longer a tag's version lives than what is written under it: an entry may be written after its version was
 * renewed, by as long as a command may be on its way.
 */
const MARGIN_MS = 60_000
/** How long `capture` leaves a caller to read what it will set. */
export const CAPTURED_MS = 3_600_000

export function createVersions(run: AtomicStore['run']): VersionMemory {
  const seen = createRecent<string>()
  /** Of this run of microtasks: what many ask for is asked once. */
  const asked = perTick<{ readonly lifeMs: number; readonly version: Promise<string | null> }>()
  const renewing: typeof asked = perTick()
  const versions: VersionMemory & { epoch: number } = {
    epoch: 0,
    note(key, version, since) {
      if (version === undefined || !isVersion(version)) seen.delete(key)
      else if (since === versions.epoch) seen.set(key, version, REMEMBERED_MS)
      else if (seen.get(key)?.value !== version) seen.delete(key)
    },
    recall(key, beforeMs = NEVER) {
      const known = seen.get(key)
      return known && known.sinceMs < beforeMs ? known.value : undefined
    },
    recallAll(space, names) {
      const generation = versions.recall(space.generation)
      const tags = new Map<string, string>()
      for (const name of names) {
        const version = versions.recall(space.tag(name))
        if (version !== undefined) tags.set(name, version)
      }
      return generation?.length === NONE.length && tags.size === names.length ? { generation, tags } : undefined
    },
    async capture(space, names, call, { lifeMs, generation: known }) {
      const since = versions.epoch
      const capture = (key: string, made: string, lifeMs: number): Promise<string> => {
        let asking = asked.get(key)
        if (!asking || asking.lifeMs < lifeMs) {
          asking = { lifeMs, version: run(captureVersion, key, [made, lifeMs], call) }
          asked.set(key, asking)
        }
        return asking.version.then((version) => {
          versions.note(key, version as string, since)
          return version as string
        })
      }
      const [generation, ...tags] = await Promise.all([
        known ?? capture(space.generation, randomId(), 0),
        ...names.map(async (tag) => {
          return [tag, await capture(space.tag(tag), randomId() + randomId(), lifeMs + MARGIN_MS)] as const
        }),
      ])
      return { generation, tags: new Map(tags) }
    },
    renew(space, names, call, lifeMs) {
      return Promise.all(
        names.map((tag) => {
          const key = space.tag(tag)
          const renewed = renewing.get(key)
          if (renewed && renewed.lifeMs >= lifeMs) return renewed.version
          const version = run(captureVersion, key, ['', lifeMs + MARGIN_MS], call)
          renewing.set(key, { lifeMs, version })
          return version
        }),
      )
    },
    forget(key) {
      versions.epoch++
      asked.delete(key)
      seen.delete(key)
    },
  }
  return versions
}
