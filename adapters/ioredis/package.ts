import { HitherError } from '../../src/errors.ts'
import type { IoredisLike } from './client.ts'

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
