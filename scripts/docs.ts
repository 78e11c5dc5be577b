/**
 * Builds the site of the docs with VitePress, in `.site/dist/`: the pages of `docs/`, a reference of what each entry exports,
 * and a search over both. `npm run docs` fails on a dead link and on an exported value without a docstring;
 * `npm run docs -- --serve` also serves the site.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type DefaultTheme, defineConfig, serve, type UserConfig } from 'vitepress'
import { apiPages } from './api.ts'
import { groups, pages } from './pages.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const site = join(root, '.site')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const { homepage } = JSON.parse(read('package.json')) as { homepage: string }
const repository = homepage.replace(/#.*$/, '')

/** Pages outside of `docs/`, and their places on the site. */
const OUTSIDE: Readonly<Record<string, string>> = {
  'bench/README.md': 'bench.md',
  'ARCHITECTURE.md': 'architecture.md',
  'CONTRIBUTING.md': 'contributing.md',
  'SECURITY.md': 'security.md',
  'CHANGELOG.md': 'changelog.md',
}

/** The place of a repository file on the site; undefined if the site does not have it. */
function placeOf(file: string): string | undefined {
  if (file === 'README.md') return 'index.md'
  if (file in OUTSIDE) return OUTSIDE[file]
  const [, page] = /^docs\/(.*)$/.exec(file) ?? []
  return page?.replace(/README\.md$/, 'index.md')
}

/** The text of a page, with its links rewritten for the site. */
function pageOf(file: string): string {
  return read(file).replace(/\]\(([^)\s:]+)\)/g, (link, to: string) => {
    const [path = '', anchor] = to.split('#')
    if (path === '') return link
    const target = normalize(join(dirname(file), path))
    const place = placeOf(target)
    return `](${place ? `/${place}` : `${repository}/blob/main/${target}`}${anchor ? `#${anchor}` : ''})`
  })
}

function write(place: string, text: string): void {
  const file = join(site, place)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

/** The first page: what hither is, the first program of the README, and links to go on from. */
function home(): string {
  const readme = read('README.md')
  const [, summary = ''] = /^\*\*([\s\S]*?)\*\*/m.exec(readme) ?? []
  const [program = ''] = /^```ts\n[\s\S]*?^```/m.exec(readme) ?? []
  const features = [
    ['One load for a thousand callers', 'In one process and across processes, at the edge too.', 'stampede'],
    ['Stale-while-revalidate', 'The old value at once, while one refresh runs or when it fails.', 'grace'],
    ['Deleted stays deleted', 'A load that was already running cannot store its old value.', 'tags'],
    ['Limits that hold', 'Six algorithms, several limits in one decision, Hono middleware.', 'rate-limits'],
    ['Locks, sessions, counters', 'Over the same stores: REST, TCP, ioredis, memory.', 'locks'],
    ['Tests without a server', 'The memory store keeps the same promises; faults at will.', 'testing'],
  ]
  const front = {
    layout: 'home',
    title: 'hither',
    titleTemplate: 'cache, limits and locks for Redis',
    hero: {
      name: 'hither',
      text: 'Cache, limits and locks for Redis',
      tagline: summary.replaceAll('\n', ' ').replaceAll('`', ''),
      actions: [
        { theme: 'brand', text: 'Start', link: '/start' },
        { theme: 'alt', text: 'Coming from another library', link: '/coming-from' },
        { theme: 'alt', text: 'Reference', link: '/api/hither' },
      ],
    },
    features: features.map(([title, details, page]) => ({ title, details, link: `/${page}` })),
  }
  return `---\n${JSON.stringify(front)}\n---\n\n<div class="first">\n\n\`\`\`sh\nnpm install hither\n\`\`\`\n\n${program}\n\n</div>\n`
}

const CSS = `
:root { --vp-c-brand-1: #0f766e; --vp-c-brand-2: #0d9488; --vp-c-brand-3: #0f766e; --vp-c-brand-soft: #0d94881f; }
.dark { --vp-c-brand-1: #5eead4; --vp-c-brand-2: #2dd4bf; --vp-c-brand-3: #0f766e; }
.VPHero .name { color: var(--vp-c-brand-1); }
.VPHero .text { font-size: 34px; line-height: 42px; }
.first { max-width: 840px; margin: 32px auto 0; }
.vp-doc table { display: table; width: 100%; }
.vp-doc td code { overflow-wrap: anywhere; }
@media (max-width: 640px) { .vp-doc table { display: block; font-size: 13px; } .vp-doc th, .vp-doc td { padding: 6px 8px; } .VPHero .text { font-size: 26px; line-height: 34px; } }
`

function configOf(api: readonly { readonly entry: string; readonly name: string }[]): UserConfig<DefaultTheme.Config> {
  const linkTo = (name: string): DefaultTheme.SidebarItem => ({
    text: (pages.find((page) => page.name === name)?.title ?? name).replaceAll('`', ''),
    link: `/${name}`,
  })
  const decisions = readdirSync(join(root, 'docs/decisions')).filter(
    (name) => name.endsWith('.md') && name !== 'README.md',
  )
  const more: DefaultTheme.SidebarItem = {
    text: 'Inside',
    collapsed: true,
    items: [
      { text: 'Architecture', link: '/architecture' },
      { text: 'Benchmarks', link: '/bench' },
      { text: 'Decisions', link: '/decisions/' },
      { text: 'Changes', link: '/changelog' },
      { text: 'Contributing', link: '/contributing' },
      { text: 'Security', link: '/security' },
    ],
  }
  const guide: DefaultTheme.SidebarItem[] = [
    ...groups.map(({ title, pages }) => ({ text: title, items: pages.map(linkTo) })),
    more,
  ]
  return defineConfig({
    title: 'hither',
    description: 'A cache, rate limiter, lock and session kit for Redis.',
    lang: 'en',
    cleanUrls: true,
    outDir: join(site, 'dist'),
    markdown: { theme: { light: 'github-light-high-contrast', dark: 'github-dark' } },
    themeConfig: {
      search: { provider: 'local' },
      outline: [2, 3],
      nav: [
        { text: 'Guide', link: '/start', activeMatch: '^/(?!api/)' },
        { text: 'Reference', link: '/api/hither', activeMatch: '^/api/' },
      ],
      sidebar: {
        '/api/': [{ text: 'Reference', items: api.map(({ entry, name }) => ({ text: entry, link: `/api/${name}` })) }],
        '/decisions/': [
          ...guide,
          {
            text: 'Decisions',
            items: decisions.map((name) => ({ text: name.slice(0, -3), link: `/decisions/${name.slice(0, -3)}` })),
          },
        ],
        '/': guide,
      },
      socialLinks: [{ icon: 'github', link: repository }],
    },
  })
}

rmSync(site, { recursive: true, force: true })
const api = apiPages()
for (const name of api.undocumented) console.error(`${name} is exported without a docstring`)
for (const { name, text } of api.pages) write(`api/${name}.md`, text)
for (const name of readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })) {
  const place = placeOf(`docs/${name}`)
  if (name.endsWith('.md') && place) write(place, pageOf(`docs/${name}`))
  else if (name.endsWith('.svg')) cpSync(join(root, 'docs', name), join(site, name))
}
for (const [file, place] of Object.entries(OUTSIDE)) write(place, pageOf(file))
write('index.md', home())
write('.vitepress/theme/style.css', CSS)
write('.vitepress/theme/index.js', "import theme from 'vitepress/theme'\nimport './style.css'\nexport default theme\n")
write('.vitepress/config.mjs', `export default ${JSON.stringify(configOf(api.pages))}\n`)
await build(site)
console.log(`${pages.length} pages, ${api.pages.length} entries: .site/dist`)
if (api.undocumented.length > 0) process.exitCode = 1
if (process.argv.includes('--serve')) await serve({ root: site, port: 4173 })
