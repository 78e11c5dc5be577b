/**
 * Writes `llms.txt` (each page by its first sentence) and `llms-full.txt` (the pages themselves), in the order in which a
 * newcomer reads them: `node scripts/llms.ts`. `--check` fails where they differ from the pages.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): string => readFileSync(root + file, 'utf8')

/** The order of the pages; what is not named comes last, by name. */
const ORDER: readonly string[] = [
  'cache',
  'upstash',
  'tcp',
  'node-redis',
  'memcached',
  'nats',
  'ioredis',
  'memory',
  'define',
  'grace',
  'tags',
  'near',
  'values',
  'plain',
  'mini',
  'rate-limits',
  'addresses',
  'hono',
  'workers',
  'next',
  'counter',
  'locks',
  'sessions',
  'once',
  'idempotency',
  'token',
  'structures',
  'channels',
  'testing',
  'monitoring',
  'failures',
  'stampede',
  'errors',
  'modules',
  'gateway',
  'gateway-commands',
  'deploy',
  'express-rate-limit',
  'upstash-ratelimit',
  'coming-from',
]

const names = readdirSync(`${root}docs`)
  .filter((name) => name.endsWith('.md'))
  .map((name) => name.slice(0, -3))
const rank = (name: string): number => (ORDER.indexOf(name) + 1 || ORDER.length + 1) - 1
const pages = names
  .toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
  .map((name) => {
    const text = read(`docs/${name}.md`)
    const title = /^# (.+)$/m.exec(text)?.[1] ?? name
    const prose = text.replace(/^```[\s\S]*?^```/gm, '').split(/\n\n+/)
    const first = prose.find((part) => part.trim() && !/^[#|-]/.test(part.trim())) ?? ''
    const sentence = /^.*?\.(?=\s|$)/.exec(first.trim().replaceAll('\n', ' '))?.[0] ?? first
    return { name, text, line: `- [${title}](docs/${name}.md): ${sentence.replace(/:$/, '.')}` }
  })

const readme = read('README.md')
const summary = /^\*\*([\s\S]*?)\*\*/m.exec(readme)?.[1]?.replaceAll('\n', ' ') ?? ''
const index = `# hither\n\n> ${summary}\n\n## Docs\n\n${pages.map(({ line }) => line).join('\n')}\n`
const full = [readme, ...pages.map(({ text }) => text)].map((text) => text.trimEnd()).join('\n\n---\n\n')
const files = { 'llms.txt': index, 'llms-full.txt': `${full.replaceAll(/<!--[\s\S]*?-->/g, '')}\n` }

for (const [file, text] of Object.entries(files)) {
  if (!process.argv.includes('--check')) writeFileSync(root + file, text)
  else if (read(file) !== text) {
    console.error(`${file} is not what the pages say: npm run llms`)
    process.exitCode = 1
  }
}
