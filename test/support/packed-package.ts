import { inject } from 'vitest'
import type { PackedPackage } from './shared-package.ts'

/** The package of this run, built and packed once for all test files that need it. */
export async function packedPackage(): Promise<PackedPackage> {
  const response = await fetch(inject('packedPackage'))
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  return JSON.parse(text) as PackedPackage
}
