import { NONE } from '../protocol/entry.ts'
import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { NEVER } from '../runtime/clock.ts'
import { perTick } from '../runtime/per-tick.ts'
import { randomId } from '../runtime/random.ts'
import type { Call } from '../store/store.ts'
import { createRecent } from './recent.ts'
import { captureVersion, isVersion } from './steps/versions.ts'

/**
 * The generation of the namespace and a version for each tag, as they were before an entry was loaded or written. The entry is
 * valid while all are current. A version is random, so a lost one never occurs again; a missing one equals nothing.
 */
export interface CapturedVersions {
  readonly generation: string
  /** By tag: a hard half of 16 characters, whose change ends the entry, then a soft half of 16, whose change makes it stale. */
  readonly tags: ReadonlyMap<string, string>
}

/** The versions that a write is stamped with. */
export interface Stamp {
  readonly versions: CapturedVersions
  /** The tags whose versions are renewed with the write. Empty if this call has just captured them, which renews them as well. */
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
  /** Changes when a version is forgotten: after that, the reply of a read sent earlier must not be remembered. */
  readonly epoch: number
  /** Remembers the version that a read sent in `epoch` has found; undefined: it is missing. */
  note(key: string, version: string | undefined, epoch: number): void
  /** The versions of the namespace and of these tags, if all were seen in the last five seconds. */
  recallAll(space: NamespaceKeys, names: readonly string[]): CapturedVersions | undefined
  /** The version seen in the last five seconds, if any; with `startNumber`, seen before the loader of that number started. */
  recall(key: string, startNumber?: number): string | undefined
  /**
   * Reads the current versions and creates those that are missing. Each tag then lives as long as an entry of `lifeMs`, and a
   * margin. A `generation` that is known already is not read.
   */
  capture(
    space: NamespaceKeys,
    names: readonly string[],
    call: Call,
    options: CaptureOptions,
  ): Promise<CapturedVersions>
  /** Extends the lifetimes of tags as `capture` does, but creates no version: for an entry that already has its versions. */
  renew(space: NamespaceKeys, names: readonly string[], call: Call, lifeMs: number): Promise<unknown>
  forget(key: string): void
}

export interface CaptureOptions {
  /** How long the entry lives that is written under these versions, in milliseconds. */
  readonly lifeMs: number
  readonly generation?: string | undefined
}

/** How long a version that was seen counts as current, in milliseconds. */
const REMEMBERED_MS = 5000
/**
 * How much longer a tag's version lives than an entry written under it, in milliseconds. The entry may be written later than
 * its version is renewed, by as long as a command may take to arrive.
 */
const MARGIN_MS = 60_000
/** How long a caller of `capture` has to read the data that it will set, in milliseconds: the versions are kept that long. */
export const CAPTURED_MS = 3_600_000

/** A version, and how many loaders had been started when it was first seen. */
interface Seen {
  readonly version: string
  readonly starts: number
}

/** Runs an operation as a store does; its caller passes the limits. */
type Run = <A extends readonly Arg[], R extends Reply>(
  op: Operation<A, R>,
  key: string,
  args: A,
  call: Call,
) => Promise<R>

export function createVersions(run: Run, loaders: { readonly starts: number }): VersionMemory {
  const seen = createRecent<Seen>()
  /** Requests of this run of microtasks, which callers share. */
  const asked = perTick<{ readonly lifeMs: number; readonly version: Promise<string | null> }>()
  const renewing: typeof asked = perTick()
  const versions: VersionMemory & { epoch: number } = {
    epoch: 0,
    note(key, version, since) {
      const known = seen.get(key)
      // No version occurs twice: it was current all the time between two reads that have found it.
      const same = known?.version === version ? known : undefined
      if (version === undefined || !isVersion(version)) seen.delete(key)
      else if (since === versions.epoch) seen.set(key, same ?? { version, starts: loaders.starts }, REMEMBERED_MS)
      else if (!same) seen.delete(key)
    },
    recall(key, startNumber = NEVER) {
      const known = seen.get(key)
      return known && known.starts < startNumber ? known.version : undefined
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
