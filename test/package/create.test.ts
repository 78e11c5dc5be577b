import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unstable_startWorker } from 'wrangler'
import { installOutside, type Outside } from './outside.ts'

// `npm create hither` from its packed tarball, and the projects that it writes, over the packed package.

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

let outside: Outside
let home = ''
let command = ''
const running: ChildProcess[] = []
beforeAll(async () => {
  outside = await installOutside()
  home = mkdtempSync(join(tmpdir(), 'hither-create-'))
  for (const part of ['create', 'examples']) cpSync(join(root, part), join(home, 'source', part), { recursive: true })
  await run('npm', ['pack', '--pack-destination', home], { cwd: join(home, 'source/create') })
  const tarball = readdirSync(home).find((name) => name.endsWith('.tgz')) as string
  mkdirSync(join(home, 'installed'))
  writeFileSync(join(home, 'installed/package.json'), '{"private":true}')
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(home, tarball)], {
    cwd: join(home, 'installed'),
  })
  command = join(home, 'installed/node_modules/.bin/create-hither')
}, 300_000)
afterAll(() => {
  for (const child of running) child.kill('SIGKILL')
  outside?.remove()
  rmSync(home, { recursive: true, force: true })
})

interface Ended {
  readonly status: number
  readonly out: string
  readonly err: string
}

async function create(...args: string[]): Promise<Ended> {
  const child = spawn(command, args, { cwd: home, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { out: '', err: '' }
  child.stdout.on('data', (data) => (said.out += data))
  child.stderr.on('data', (data) => (said.err += data))
  const [status] = (await once(child, 'close')) as [number]
  return { status, ...said }
}

/** Writes the project of a template, and links the packed package into it. Resolves to its folder. */
async function project(template: string): Promise<string> {
  const { status, err } = await create(`My ${template} app`, '--template', template)
  expect([err, status]).toEqual(['', 0])
  const folder = join(home, `My ${template} app`)
  symlinkSync(join(outside.folder, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

describe('the command', () => {
  it.each([
    ['20.20.2', /npm start needs Node 22\.18 or later, and this is 20\.20\.2: until then, npx tsx index\.ts\n/],
    ['22.17.1', /this is 22\.17\.1/],
    ['22.18.0', /^(?!.*needs Node)/s],
    ['24.0.0', /^(?!.*needs Node)/s],
  ])('says on Node %s whether it runs what it has written', async (version, said) => {
    const as = `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'${version}'})`
    const args = ['--import', as, join(root, 'create/index.js'), `on-${version}`, '--template', 'node']
    const { stdout } = await run(process.execPath, args, { cwd: home })
    expect(stdout).toMatch(said)
  })
  it('is one small package without dependencies', () => {
    const installed = join(home, 'installed/node_modules')
    expect(readdirSync(installed).filter((name) => !name.startsWith('.'))).toEqual(['create-hither'])
    const manifest = JSON.parse(readFileSync(join(installed, 'create-hither/package.json'), 'utf8'))
    expect(manifest.version).toBe(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version)
    expect(readdirSync(join(installed, 'create-hither')).sort()).toEqual([
      'LICENSE',
      'README.md',
      'examples',
      'index.js',
      'package.json',
      'templates.js',
    ])
  })
  it('tells how it is used, and its version', async () => {
    expect(await create('--help')).toMatchObject({ status: 0, out: expect.stringContaining('--template NAME') })
    expect(await create('--version')).toMatchObject({ status: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })
  it.each([
    [[], 'give a folder and --template'],
    [['app'], 'give a folder and --template'],
    [['app', '--template', 'vue'], '--template is node, worker, next'],
    [['app', '--template'], 'try --help'],
    [['app', '--tmplate', 'node'], 'try --help'],
    [['app', 'other', '--template', 'node'], 'give one folder'],
    [['', '--template', 'node'], 'give a folder'],
  ])('refuses %j without a terminal, by one line', async (args, message) => {
    const { status, out, err } = await create(...args)
    expect([status, out]).toEqual([2, ''])
    expect(err).toMatch(/^create-hither: .*\n$/)
    expect(err).toContain(message)
  })
  it('writes nothing into a folder that is not empty, or over a file', async () => {
    mkdirSync(join(home, 'full'))
    writeFileSync(join(home, 'full/notes.txt'), 'mine')
    writeFileSync(join(home, 'a-file'), 'mine')
    for (const name of ['full', 'a-file']) {
      const { status, err } = await create(name, '--template', 'node')
      expect(status).toBe(1)
      expect(err).toMatch(/^create-hither: .*: name another folder\n$/)
    }
    expect(readdirSync(join(home, 'full'))).toEqual(['notes.txt'])
  })
  it('writes into an empty folder, and into one that only git has touched', async () => {
    mkdirSync(join(home, 'fresh/.git'), { recursive: true })
    expect(await create('fresh', '--template', 'node')).toMatchObject({ status: 0 })
    expect(readdirSync(join(home, 'fresh')).sort()).toEqual([
      '.git',
      '.gitignore',
      'README.md',
      'index.ts',
      'package.json',
      'tsconfig.json',
    ])
  })
  it('asks on a terminal', async () => {
    // `script` of util-linux gives the command a terminal.
    const hasScript = await run('script', ['--version']).then(
      ({ stdout }) => stdout.includes('util-linux'),
      () => false,
    )
    if (!hasScript) return console.log('not asked: no script of util-linux')
    const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: home })
    running.push(child)
    let said = ''
    child.stdout.on('data', (data) => (said += data))
    await expect.poll(() => said, { timeout: 20_000 }).toContain('Folder')
    child.stdin.write('asked\n')
    await expect.poll(() => said, { timeout: 20_000 }).toContain('Start with')
    child.stdin.write('9\n')
    await expect.poll(() => said, { timeout: 20_000 }).toContain('a number from 1 to 3')
    child.stdin.write('worker\n')
    const [status] = (await once(child, 'close')) as [number]
    expect(status).toBe(0)
    expect(readdirSync(join(home, 'asked'))).toContain('wrangler.jsonc')
  })
})

describe('what it writes', { timeout: 120_000 }, () => {
  it('node: a server that caches and limits', async () => {
    const folder = await project('node')
    const child = spawn(process.execPath, ['index.ts'], { cwd: folder, env: { PATH: process.env.PATH, PORT: '0' } })
    running.push(child)
    let said = ''
    child.stdout.on('data', (data) => (said += data))
    await expect.poll(() => said, { timeout: 20_000 }).toMatch(/^http:.*\n/)
    const url = said.trim()
    const ask = async (): Promise<unknown> => (await fetch(url)).json()
    const first = await ask()
    expect(first).toMatchObject({ id: '7', name: 'Ada' })
    expect(await ask()).toEqual(first)
    const statuses: number[] = []
    for (let i = 0; i < 9; i++) statuses.push((await fetch(url)).status)
    expect(statuses).toEqual([...new Array(8).fill(200), 429])
    expect((await fetch(new URL('/', url))).status).toBe(404)
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  })
  it('worker: one that wrangler runs, and that answers without its database', async () => {
    const folder = await project('worker')
    const worker = await unstable_startWorker({
      config: join(folder, 'wrangler.jsonc'),
      dev: { server: { hostname: '127.0.0.1', port: 0 }, inspector: false, watch: false, logLevel: 'error' },
    })
    try {
      const response = await worker.fetch('http://localhost/')
      expect(response.status).toBe(200)
      expect(await response.json()).toEqual({ computed: expect.any(String) })
    } finally {
      await worker.dispose()
    }
  })
  it('worker: a store for it that needs no Redis, and takes the token of .dev.vars', async () => {
    const folder = join(home, 'My worker app')
    const { scripts } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { scripts: { store: string } }
    const [program = '', ...args] = scripts.store.split(' ')
    const token = /^UPSTASH_REDIS_REST_TOKEN=(.+)$/m.exec(readFileSync(join(folder, '.dev.vars'), 'utf8'))?.[1]
    const child = spawn(join(folder, 'node_modules/.bin', program), [...args, '--port', '0'], { cwd: folder })
    running.push(child)
    let said = ''
    child.stdout.on('data', (data) => (said += data))
    await expect.poll(() => said, { timeout: 20_000 }).toMatch(/REST +http:\S+ .*\n/)
    const url = /http:\S+/.exec(said)?.[0] ?? ''
    const response = await fetch(`${url}/ping`, { headers: { authorization: `Bearer ${token}` } })
    expect(await response.json()).toEqual({ result: 'PONG' })
  })
  it('next: a route handler that answers the same for a minute', async () => {
    const folder = await project('next')
    const program = `
      const { GET } = await import('./app/api/now/route.ts')
      const ask = async () => (await GET(new Request('http://localhost/api/now'))).text()
      console.log((await ask()) === (await ask()))
    `
    writeFileSync(join(folder, 'ask.mjs'), program)
    expect((await run(process.execPath, ['ask.mjs'], { cwd: folder })).stdout).toBe('true\n')
  })
  it.each(['node', 'worker', 'next'])('%s: programs that type-check', async (template) => {
    const folder = join(home, `types-${template}`)
    expect(await create(folder, '--template', template)).toMatchObject({ status: 0 })
    mkdirSync(join(folder, 'node_modules/@types'), { recursive: true })
    symlinkSync(join(outside.folder, 'node_modules/hither'), join(folder, 'node_modules/hither'))
    symlinkSync(join(root, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'))
    // Next and React are not installed here, so only the route handler of that template is checked.
    const only = template === 'next' ? ['--ignoreConfig', 'app/api/now/route.ts', ...FLAGS] : []
    const tsc = join(root, 'node_modules/typescript60/bin/tsc')
    expect(execFileSync(process.execPath, [tsc, ...only], { cwd: folder, encoding: 'utf8' })).toBe('')
    expect(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).name).toBe(`types-${template}`)
  })
})

const FLAGS =
  '--noEmit --strict --skipLibCheck --target es2023 --module esnext --moduleResolution bundler --types node'.split(' ')
