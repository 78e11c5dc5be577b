/**
 * `node scripts/links.ts` fails on a dead link: every relative link of a Markdown page must lead to a file of this repository,
 * its `#anchor` to a heading there, and from a packed page to a packed file. It also fails on a page of `docs/` without an
 * example that the tests run (`test/examples/docs.test.ts`).
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const { files: packed } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] }
const isPacked = (file: string): boolean => packed.some((entry) => file === entry || file.startsWith(`${entry}/`))

const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  'create/README.md',
  'llms.txt',
  'examples/README.md',
  ...['docs', 'bench'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  ),
]

/** The anchor of a heading, as hosts of repositories generate it. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-')

const anchors = (file: string): Set<string> =>
  new Set(
    [...readFileSync(join(root, file), 'utf8').matchAll(/^#{1,6} (.+)$/gm)].map(([, text = '']) => anchorOf(text)),
  )

const dead: string[] = []
for (const page of pages) {
  const text = readFileSync(join(root, page), 'utf8').replace(/^```[\s\S]*?^```/gm, '')
  for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue
    const [path = '', anchor] = target.split('#')
    const file = path === '' ? page : normalize(join(dirname(page), path))
    const whole = join(root, file)
    const fault = !existsSync(whole)
      ? 'leads nowhere'
      : anchor && statSync(whole).isFile() && !anchors(file).has(anchor)
        ? 'names no heading'
        : isPacked(page) && !isPacked(relative(root, whole))
          ? 'is not in the package'
          : undefined
    if (fault) dead.push(`${page}: ${target} ${fault}`)
  }
}
/** Pages without an example, and why. */
const WITHOUT_PROGRAM: Readonly<Record<string, string>> = {
  'docs/deploy.md': 'its commands start the example, which the tests of each platform do',
  'docs/doctor.md': 'its command runs in test/conformance/doctor.test.ts',
  'docs/garnet.md': 'its server is none that the docs are tested with: test/conformance/garnet.test.ts runs the store',
  'docs/memcached.md':
    'its server is none that the docs are tested with: test/conformance/memcached.test.ts runs the store',
  'docs/nats.md': 'its server is none that the docs are tested with: test/conformance/nats.test.ts runs the store',
  'docs/gateway-commands.md': 'a table, written by the test that runs each of its commands',
}
const idle = pages.filter(
  (page) =>
    /^docs\/[\w-]+\.md$/.test(page) &&
    !(page in WITHOUT_PROGRAM) &&
    !/^```ts\n/m.test(readFileSync(join(root, page), 'utf8')),
)
for (const page of idle) console.error(`${page} has no example that runs`)
for (const line of dead) console.error(line)
console.log(`${pages.length} pages, ${dead.length} dead links, ${idle.length} without an example that runs`)
process.exitCode = dead.length > 0 || idle.length > 0 ? 1 : 0
