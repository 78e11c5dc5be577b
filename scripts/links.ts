/**
 * Fails on a dead link: every relative link of a Markdown page leads to a file of this repository, and its `#anchor` to a
 * heading there; what a packed page links to is packed as well. `node scripts/links.ts`
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const { files: packed } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] }
const isPacked = (file: string): boolean => packed.some((entry) => file === entry || file.startsWith(`${entry}/`))

const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...['docs', 'bench'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  ),
]

/** As the hosts of repositories make them of a heading. */
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
for (const line of dead) console.error(line)
console.log(`${pages.length} pages, ${dead.length} dead links`)
process.exitCode = dead.length > 0 ? 1 : 0
