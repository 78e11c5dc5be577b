import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { aclOf } from '../../cli/doctor-features.ts'

const FOLDERS = {
  cache: 'src/cache',
  limits: 'src/rate-limit',
  locks: 'src/lock',
  sessions: 'src/session',
  counters: 'src/counter',
}

const rightsOf = (features: readonly string[]): Set<string> =>
  new Set(aclOf(features, { scripts: true, cluster: false }).match(/(?<=\+)[a-z]+/g))

/** Commands that the scripts of a folder call. */
function callsOf(folder: string): Set<string> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const calls = files.flatMap((file) => [
    ...readFileSync(`${folder}/${file}`, 'utf8').matchAll(/redis\.p?call\('([A-Z]+)'/g),
  ])
  return new Set(calls.map(([, name = '']) => name.toLowerCase()))
}

describe('the rights that hither doctor prints', () => {
  const everywhere = rightsOf([])
  /** What a store needs that runs no scripts. */
  const unscripted = new Set([...everywhere].filter((name) => !name.startsWith('eval')))
  for (const [feature, folder] of Object.entries(FOLDERS))
    it(`are, for ${feature}, the commands that its scripts call`, () => {
      const rights = [...rightsOf([feature])].filter((name) => !everywhere.has(name))
      // `now()` of a script calls TIME.
      const called = [...callsOf(folder).add('time')].filter((name) => !everywhere.has(name))
      expect(rights.sort()).toEqual(called.sort())
    })
  for (const [feature, row] of [
    ['cache', 'a cache, also with tags'],
    ['limits', 'a limiter'],
  ] as const)
    it(`are those that the page names for ${row}`, () => {
      const page = readFileSync('docs/tcp.md', 'utf8')
      const line = page.split('\n').find((each) => each.startsWith(`| ${row} |`)) ?? ''
      const named = [...line.matchAll(/\+([a-z]+)/g)].map(([, name = '']) => name)
      expect(named.sort()).toEqual([...rightsOf([feature])].filter((name) => !unscripted.has(name)).sort())
    })
})
