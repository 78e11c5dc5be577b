import { HitherError } from '../../src/errors.ts'
import type { IoredisLike } from './client.ts'

/** The types of ioredis. A program with only iovalkey has none, and still compiles thanks to the `@ts-ignore`. */
// biome-ignore lint/suspicious/noTsIgnore: an error only where the peer is not installed
/** @ts-ignore */
type Package = typeof import('ioredis')

/** A client as ioredis types it, with a method for each command; `any` in a program without ioredis. */
export type IoredisClient = InstanceType<Package['Redis']>
/** As `IoredisClient`, of a Cluster. */
export type IoredisCluster = InstanceType<Package['Cluster']>

type Make = new (...args: unknown[]) => IoredisLike

export interface IoredisPackage {
  readonly Redis: Make
  readonly Cluster: Make
}

/** The package ioredis. Rejects with `UNSUPPORTED`, saying what needs it, when it is not installed. */
export async function loadIoredis(whatFor: string): Promise<IoredisPackage> {
  try {
    return (await import('ioredis')) as unknown as IoredisPackage
  } catch (cause) {
    throw new HitherError('UNSUPPORTED', `${whatFor} needs the package ioredis: npm install ioredis`, { cause })
  }
}
