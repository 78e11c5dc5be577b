/** The pages of `docs/`, in the order in which a newcomer reads them. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

export interface Page {
  /** The name of its file in `docs/`, without `.md`. */
  readonly name: string
  readonly title: string
  readonly text: string
  /** Its first sentence. */
  readonly summary: string
}

export interface Group {
  readonly title: string
  readonly pages: readonly string[]
}

const GROUPS: readonly Group[] = [
  { title: 'Start', pages: ['start', 'modules', 'coming-from'] },
  {
    title: 'Stores',
    pages: ['stores', 'tcp', 'node-redis', 'ioredis', 'upstash', 'garnet', 'memcached', 'nats', 'memory', 'embedded'],
  },
  {
    title: 'Cache',
    pages: ['cache', 'define', 'grace', 'tags', 'near', 'values', 'plain', 'mini'],
  },
  { title: 'Rate limits', pages: ['rate-limits', 'addresses', 'express-rate-limit', 'upstash-ratelimit'] },
  { title: 'HTTP', pages: ['http-cache'] },
  { title: 'Where it runs', pages: ['hono', 'workers', 'next', 'dev-server'] },
  {
    title: 'Locks, sessions, counters',
    pages: ['locks', 'sessions', 'counter', 'once', 'idempotency', 'token', 'structures', 'channels'],
  },
  { title: 'In production', pages: ['testing', 'monitoring', 'failures', 'stampede', 'errors', 'doctor', 'migrate'] },
  { title: 'Gateway', pages: ['gateway', 'gateway-commands', 'deploy'] },
]

function readPage(name: string): Page {
  const text = readFileSync(`${root}docs/${name}.md`, 'utf8')
  const title = /^# (.+)$/m.exec(text)?.[1] ?? name
  const prose = text.replace(/^```[\s\S]*?^```/gm, '').split(/\n\n+/)
  const first = prose.find((part) => part.trim() && !/^[#|-]/.test(part.trim())) ?? ''
  const sentence = /^.*?\.(?=\s|$)/.exec(first.trim().replaceAll('\n', ' '))?.[0] ?? first
  return { name, title, text, summary: sentence.replace(/:$/, '.') }
}

const names = readdirSync(`${root}docs`)
  .filter((name) => name.endsWith('.md'))
  .map((name) => name.slice(0, -3))
  .toSorted()
const grouped = GROUPS.flatMap(({ pages }) => pages)
const others = names.filter((name) => !grouped.includes(name))

/** All groups. Pages that none of `GROUPS` names come last, under `More`. */
export const groups: readonly Group[] = others.length > 0 ? [...GROUPS, { title: 'More', pages: others }] : GROUPS

/** Every page. Throws if a group names a page that does not exist. */
export const pages: readonly Page[] = groups.flatMap(({ pages }) => pages.map(readPage))
