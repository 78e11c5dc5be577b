/** What each template consists of. Its program is one of the examples, as the repository tests it. */
import { existsSync, readFileSync } from 'node:fs'

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

/** The examples, as paths in `examples/`. */
export const EXAMPLES = ['hello-server/index.ts', 'hello-worker/index.ts', 'hello-next/route.ts']

/** The text of an example: packed beside this file, and in the repository one folder up. */
function example(file) {
  const packed = new URL(`examples/${file}`, import.meta.url)
  return readFileSync(existsSync(packed) ? packed : new URL(`../examples/${file}`, import.meta.url), 'utf8')
}

const json = (value) => `${JSON.stringify(value, undefined, 2)}\n`
const IGNORED = 'node_modules/\n.env*\n.dev.vars\n'
const typescript = { typescript: '^5.9.0' }
const compilerOptions = {
  target: 'es2023',
  module: 'nodenext',
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  verbatimModuleSyntax: true,
  erasableSyntaxOnly: true,
}

function manifest(name, rest) {
  return json({
    name,
    private: true,
    type: 'module',
    ...rest,
    dependencies: { hither: `^${version}`, ...rest.dependencies },
  })
}

const node = {
  title: 'Node server',
  files: (name) => ({
    'index.ts': example('hello-server/index.ts'),
    'package.json': manifest(name, {
      engines: { node: '>=22.18' },
      scripts: { start: 'node index.ts', dev: 'node --watch index.ts', typecheck: 'tsc' },
      devDependencies: { '@types/node': '^24.0.0', ...typescript },
    }),
    'tsconfig.json': json({ compilerOptions: { ...compilerOptions, types: ['node'] } }),
    '.gitignore': IGNORED,
    'README.md': `# ${name}

\`npm start\` serves http://localhost:3000/users/7 with a cache and a limit, in memory. With Redis:

\`\`\`sh
REDIS_URL=redis://127.0.0.1:6379 npm start
\`\`\`

Node 22.18 or later runs \`index.ts\` as it is. On Node 20 run \`npx tsx index.ts\`.
`,
  }),
  next: ['npm start'],
}

const worker = {
  title: 'Cloudflare Worker',
  files: (name) => ({
    'index.ts': example('hello-worker/index.ts'),
    'package.json': manifest(name, {
      scripts: {
        dev: 'wrangler dev',
        deploy: 'wrangler deploy',
        store: 'hither dev --token dev --redis-port 0',
        typecheck: 'tsc',
      },
      devDependencies: { wrangler: '^4.0.0', ...typescript },
    }),
    'wrangler.jsonc': json({ name, main: 'index.ts', compatibility_date: '2025-09-01' }),
    '.dev.vars': 'UPSTASH_REDIS_REST_URL=http://127.0.0.1:8079\nUPSTASH_REDIS_REST_TOKEN=dev\n',
    'tsconfig.json': json({ compilerOptions: { ...compilerOptions, lib: ['es2023', 'webworker'], types: [] } }),
    '.gitignore': `${IGNORED}.wrangler/\n`,
    'README.md': `# ${name}

For local work \`npm run store\` starts a development server that speaks the Upstash protocol; it needs no Redis and keeps nothing. Then
\`npm run dev\` starts the Worker, with the address and the token of \`.dev.vars\`. To keep the entries in a Redis of your own, run
\`npx hither gateway --redis redis://127.0.0.1:6379 --token dev\` in place of \`npm run store\`.

To deploy, take the address and the token of an Upstash database:

\`\`\`sh
npx wrangler secret put UPSTASH_REDIS_REST_URL
npx wrangler secret put UPSTASH_REDIS_REST_TOKEN
npm run deploy
\`\`\`
`,
  }),
  next: ['npm run store    # in another terminal; needs no Redis', 'npm run dev'],
}

const next = {
  title: 'Next.js application',
  files: (name) => ({
    'app/api/now/route.ts': example('hello-next/route.ts'),
    'app/layout.tsx': `import type { ReactNode } from 'react'

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
`,
    'app/page.tsx': `export default function Page() {
  return (
    <p>
      <a href="/api/now">/api/now</a> is computed once a minute.
    </p>
  )
}
`,
    'package.json': manifest(name, {
      scripts: { dev: 'next dev', build: 'next build', start: 'next start' },
      dependencies: { next: '^16.0.0', react: '^19.0.0', 'react-dom': '^19.0.0' },
      devDependencies: { '@types/node': '^24.0.0', '@types/react': '^19.0.0', ...typescript },
    }),
    'tsconfig.json': json({
      compilerOptions: {
        ...compilerOptions,
        lib: ['dom', 'dom.iterable', 'es2023'],
        module: 'esnext',
        moduleResolution: 'bundler',
        resolveJsonModule: true,
        isolatedModules: true,
        esModuleInterop: true,
        allowJs: true,
        incremental: true,
        jsx: 'react-jsx',
        plugins: [{ name: 'next' }],
      },
      include: ['next-env.d.ts', '**/*.ts', '**/*.tsx', '.next/types/**/*.ts', '.next/dev/types/**/*.ts'],
      exclude: ['node_modules'],
    }),
    '.gitignore': `${IGNORED}.next/\nnext-env.d.ts\n`,
    'README.md': `# ${name}

\`npm run dev\` serves http://localhost:3000/api/now, which is computed once a minute, in memory. With Redis:

\`\`\`sh
REDIS_URL=redis://127.0.0.1:6379 npm run dev
\`\`\`
`,
  }),
  next: ['npm run dev'],
}

export const TEMPLATES = { node, worker, next }
export { version }
