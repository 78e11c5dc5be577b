import { execFile, execFileSync } from 'node:child_process'
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { type StartedGateway, startGateway } from 'hither/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/**
 * Every `ts` block of the README and the docs is type-checked, and run unless it is marked `ts no-run`. A line that ends
 * in `console.log(…) // → text` must print that text. A block finds a Redis in `REDIS_URL`, and a gateway before that Redis
 * in Upstash's variables.
 */
const root = fileURLToPath(new URL('../../', import.meta.url))
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`),
]
  .filter((name) => name.endsWith('.md'))
  .sort()
const blocks = pages.flatMap((page) =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/^```ts( no-run)?\n([\s\S]*?)^```/gm)].map(
    ([, mark, body = ''], i) => ({
      name: `${page} #${i + 1}`,
      file: `${page.replace(/\W/g, '-')}-${i + 1}.ts`,
      body,
      runs: mark === undefined,
    }),
  ),
)

describe('the code in the docs', () => {
  let folder = ''
  let gateway: StartedGateway
  const redis = process.env.REDIS8_URL as string
  const aliases = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')).compilerOptions.paths as Record<
    string,
    [string]
  >
  beforeAll(async () => {
    gateway = await startGateway({ redis })
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'hither-docs-')))
    for (const part of ['src', 'adapters']) cpSync(join(root, part), join(folder, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    for (const { file, body } of blocks) writeFileSync(join(folder, file), `${body}\nexport {}\n`)
    const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'))
    const options = {
      ...compilerOptions,
      paths: aliases,
      noUnusedLocals: false,
      isolatedDeclarations: false,
      declaration: false,
      lib: [...compilerOptions.lib, 'dom.asynciterable'],
    }
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: blocks.map(({ file }) => file) }),
    )
    const hooks = `
      import { registerHooks } from 'node:module'
      const at = ${JSON.stringify(Object.entries(aliases).map(([name, [path]]) => [name, path]))}
      registerHooks({
        resolve(name, context, next) {
          for (const [alias, path] of at) {
            const [start, end = ''] = alias.split('*')
            const fits = alias.includes('*') ? name.startsWith(start) : name === alias
            if (fits) return next(new URL(path.replace('*', name.slice(start.length)), import.meta.url).href, context)
          }
          return next(name, context)
        },
      })`
    writeFileSync(join(folder, 'hooks.mjs'), hooks)
  })
  afterAll(async () => {
    await gateway?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  it('is there', () => {
    expect(blocks.length).toBeGreaterThan(5)
  })
  it('type-checks', { timeout: 120_000 }, () => {
    let errors = ''
    try {
      execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' })
    } catch (error) {
      errors = String((error as { stdout?: unknown }).stdout)
    }
    expect(errors).toBe('')
  })
  for (const { name, file, body } of blocks.filter(({ runs }) => runs)) {
    it(`${name} runs`, { timeout: 60_000 }, async () => {
      const path = join(folder, file)
      const hooks = pathToFileURL(join(folder, 'hooks.mjs')).href
      const env = { UPSTASH_REDIS_REST_URL: gateway.url, UPSTASH_REDIS_REST_TOKEN: gateway.token, REDIS_URL: redis }
      const { stdout: printed } = await promisify(execFile)(
        process.execPath,
        ['--no-warnings', '--import', hooks, path],
        { cwd: folder, env: { ...process.env, ...env } },
      )
      const said = [...body.matchAll(/console\.log\(.*\) \/\/ → (.*)$/gm)].map(([, text]) => text)
      if (said.length > 0) expect(printed.trim().split('\n')).toEqual(said)
      else expect(printed).not.toContain('undefined')
    })
  }
})
