/**
 * Finds and installs the programs of servers. `find` looks on the host: an environment variable, PATH, Homebrew, the cache
 * folder. `install` also downloads: it has apt download Debian packages and check them against the signed release, and unpacks
 * them into the user's cache folder, without root. Garnet is installed by the .NET SDK instead.
 */
import { execFile } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

/** A server program, by major version where that matters. */
export type Program = 'redis7' | 'redis8' | 'valkey' | 'memcached16' | 'memcached' | 'nats' | 'garnet'

interface Recipe {
  readonly binary: string
  /** Pattern that the output of `--version` must match; its group is the version. */
  readonly version: RegExp
  readonly packages: readonly string[]
  /** Debian suites that have its packages, in order of preference. */
  readonly suites: readonly string[]
  /** Environment variable with the path of the program, which replaces the search. */
  readonly variable: string
  readonly wanted: string
}

export const recipes: { readonly [P in Program]: Recipe } = {
  redis7: {
    binary: 'redis-server',
    version: /^Redis server v=(7\.\S+)/,
    packages: ['redis-tools', 'redis-server'],
    suites: ['bookworm'],
    variable: 'HITHER_REDIS7_SERVER',
    wanted: 'redis-server 7.x',
  },
  redis8: {
    binary: 'redis-server',
    version: /^Redis server v=(8\.\S+)/,
    packages: ['redis-tools', 'redis-server'],
    suites: ['sid', 'trixie'],
    variable: 'HITHER_REDIS8_SERVER',
    wanted: 'redis-server 8.x (Homebrew: brew install redis)',
  },
  valkey: {
    binary: 'valkey-server',
    version: /^Valkey server v=(\S+)/,
    packages: ['valkey-tools', 'valkey-server'],
    suites: ['sid', 'trixie'],
    variable: 'HITHER_VALKEY_SERVER',
    wanted: 'valkey-server (Homebrew: brew install valkey)',
  },
  // The version of Debian 12: the oldest memcached still in use, which lacks a few flags of the meta protocol.
  memcached16: {
    binary: 'memcached',
    version: /^memcached (1\.6\.1\d)$/m,
    packages: ['memcached'],
    suites: ['bookworm'],
    variable: 'HITHER_MEMCACHED16_SERVER',
    wanted: 'memcached 1.6.10 to 1.6.19',
  },
  memcached: {
    binary: 'memcached',
    version: /^memcached (1\.6\.(?:[2-9]\d|\d{3,}))$/m,
    packages: ['memcached'],
    suites: ['sid', 'trixie'],
    variable: 'HITHER_MEMCACHED_SERVER',
    wanted: 'memcached 1.6.20 or later (Homebrew: brew install memcached)',
  },
  nats: {
    binary: 'nats-server',
    version: /^nats-server: v?(2\.\S+)/,
    packages: ['nats-server'],
    suites: ['sid', 'trixie'],
    variable: 'HITHER_NATS_SERVER',
    wanted: 'nats-server 2.11 or later (Homebrew: brew install nats-server)',
  },
  // A .NET tool; no Debian suite has it.
  garnet: {
    binary: 'garnet-server',
    version: /^GarnetServer (\d[\d.]*)/,
    packages: [],
    suites: [],
    variable: 'HITHER_GARNET_SERVER',
    wanted: 'the .NET SDK 10, for `dotnet tool install garnet-server`',
  },
}

/** Libraries that the programs are linked with, in any suite. Those that a suite does not have are not downloaded. */
const LIBRARIES = `libc6 libgcc-s1 libstdc++6 libatomic1 libjemalloc2 liblzf1 libssl3 libssl3t64 libsystemd0 libcap2
  libzstd1 zlib1g liblua5.1-0 lua-cjson lua-bitop liblz4-1 liblzma5 libgcrypt20 libgpg-error0
  libevent-2.1-7 libevent-2.1-7t64 libsasl2-2 libdb5.3 libdb5.3t64 liblua5.4-0`.split(/\s+/)

const run = promisify(execFile)

function cacheFolder(): string {
  const { HITHER_SERVERS_CACHE, XDG_CACHE_HOME } = process.env
  return HITHER_SERVERS_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'hither-servers')
}

async function exists(path: string, mode: number = constants.F_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}

async function names(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort()
}

/** A program that was found: the command to start it, and the version that it prints. */
export interface Found {
  readonly command: readonly string[]
  readonly version: string
}

async function asked(command: readonly string[], recipe: Recipe): Promise<Found | undefined> {
  const [file = '', ...rest] = command
  const answer = await run(file, [...rest, '--version'], { timeout: 10_000 }).catch(() => undefined)
  const version = recipe.version.exec(answer?.stdout ?? '')?.[1]
  return version === undefined ? undefined : { command, version }
}

/** The command for an unpacked program. It uses the unpacked loader and libraries, so that the host may have an older libc. */
async function unpackedCommand(root: string, name: string): Promise<string[] | undefined> {
  const folder = (await exists(join(root, 'usr/sbin', name))) ? 'usr/sbin' : 'usr/bin'
  const binary = join(root, folder, name)
  // A Go program is static and needs no loader.
  if (await run(binary, ['--version'], { timeout: 10_000 }).catch(() => undefined)) return [binary]
  const [triplet, loader] =
    process.arch === 'arm64'
      ? ['aarch64-linux-gnu', 'ld-linux-aarch64.so.1']
      : ['x86_64-linux-gnu', 'ld-linux-x86-64.so.2']
  const libraries = [join(root, 'usr/lib', triplet), join(root, 'lib', triplet)]
  for (const folder of ['usr/lib64', 'lib64', 'usr/lib', 'lib']) {
    const path = join(root, folder, loader)
    if (await exists(path)) return [path, '--library-path', libraries.join(':'), binary]
  }
  return undefined
}

/** The program on this machine, or `undefined`. Does not use the network. */
export async function find(program: Program): Promise<Found | undefined> {
  const recipe = recipes[program]
  const override = process.env[recipe.variable]
  if (override) {
    const found = await asked([override], recipe)
    if (!found) throw new Error(`${recipe.variable} does not name a ${recipe.wanted}`)
    return found
  }
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  folders.push('/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin')
  for (const opt of ['/opt/homebrew/opt', '/usr/local/opt', '/home/linuxbrew/.linuxbrew/opt']) {
    for (const name of await names(opt)) {
      if (/^(redis|valkey|memcached|nats-server)(@|$)/.test(name)) folders.push(join(opt, name, 'bin'))
    }
  }
  for (const folder of new Set(folders)) {
    const path = join(folder, recipe.binary)
    if (!(await exists(path, constants.X_OK))) continue
    const found = await asked([path], recipe)
    if (found) return found
  }
  const command =
    program === 'garnet' ? [garnetTool()] : await unpackedCommand(join(cacheFolder(), program), recipe.binary)
  return command && asked(command, recipe)
}

interface Source {
  readonly uri: string
  readonly keyring: string
}

/** The Debian package source that apt on this host is configured with, and the keyring that checks the source. */
async function aptSource(): Promise<Source | undefined> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  if (!/^ID=debian$/m.test(release)) return undefined
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1] ?? 'sid'
  const suites = new Set([codename, 'stable', 'testing', 'unstable', 'sid'])
  const folder = '/etc/apt/sources.list.d'
  const files = ['/etc/apt/sources.list', ...(await names(folder)).map((name) => join(folder, name))]
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '')
    for (const stanza of file.endsWith('.sources') ? text.split(/\n\s*\n/) : []) {
      const field = (name: string): string[] =>
        new RegExp(`^${name}:(.*)$`, 'mi').exec(stanza)?.[1]?.trim().split(/\s+/) ?? []
      const uri = field('URIs')[0]
      if (uri && field('Types').includes('deb') && field('Components').includes('main')) {
        if (field('Suites').some((suite) => suites.has(suite))) return withKeyring(uri, field('Signed-By')[0])
      }
    }
    for (const line of file.endsWith('.sources') ? [] : text.split('\n')) {
      const [, options, uri, suite, rest] = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)$/.exec(line) ?? []
      if (uri && suites.has(suite ?? '') && rest?.split(/\s+/).includes('main')) {
        return withKeyring(uri, /signed-by=(\S+)/.exec(options ?? '')?.[1])
      }
    }
  }
  return undefined
}

async function withKeyring(uri: string, signedBy: string | undefined): Promise<Source | undefined> {
  const base = '/usr/share/keyrings/debian-archive-keyring'
  for (const keyring of [`${base}.gpg`, `${base}.pgp`, signedBy ?? '']) {
    if (keyring.startsWith('/') && (await exists(keyring))) return { uri, keyring }
  }
  return undefined
}

const garnetTool = (): string => join(cacheFolder(), 'garnet', 'garnet-server')

/** Installs Garnet into the cache folder with the .NET SDK. Rejects without that SDK. */
async function installGarnet(): Promise<void> {
  await mkdir(cacheFolder(), { recursive: true })
  const work = await mkdtemp(join(cacheFolder(), '.work-'))
  try {
    const folder = join(work, 'garnet')
    await run('dotnet', ['tool', 'install', 'garnet-server', '--tool-path', folder], { cwd: work, timeout: 300_000 })
    await rename(folder, join(cacheFolder(), 'garnet')).catch(async (error: unknown) => {
      if (!(await find('garnet'))) throw error
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/**
 * Downloads the packages of `programs` from one suite, and unpacks each program into its own folder of the cache. The folder is
 * renamed into place once it is complete, so that another run never sees half of it. Skips a program that does not run then.
 */
async function unpack(programs: readonly Program[], suite: string, source: Source): Promise<void> {
  const cache = cacheFolder()
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, '.work-'))
  try {
    for (const folder of ['lists/partial', 'archives/partial', 'debs']) {
      await mkdir(join(work, folder), { recursive: true })
    }
    await writeFile(join(work, 'status'), '')
    await writeFile(join(work, 'sources.list'), `deb [signed-by=${source.keyring}] ${source.uri} ${suite} main\n`)
    const config = join(work, 'apt.conf')
    await writeFile(
      config,
      `#clear APT::Update;
Dir::State::Lists "${work}/lists"; Dir::State::status "${work}/status"; Dir::Cache "${work}";
Dir::Etc::SourceList "${work}/sources.list"; Dir::Etc::SourceParts "/dev/null"; Dir::Log "${work}";
APT::Sandbox::User "root"; APT::Get::AllowUnauthenticated "false"; Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false"; Acquire::Languages "none"; Acquire::Retries "3";\n`,
    )
    const options = { cwd: join(work, 'debs'), maxBuffer: 1 << 26, timeout: 300_000 }
    const apt = async (tool: string, ...args: string[]): Promise<string> =>
      (await run(tool, ['-q', '-c', config, ...args], options)).stdout
    await apt('apt-get', '-o', 'APT::Update::Error-Mode=any', 'update')
    const has = new Set((await apt('apt-cache', 'pkgnames')).split('\n'))
    const wanted = (program: Program): string[] =>
      [...recipes[program].packages, ...LIBRARIES].filter((name) => has.has(name))
    await apt('apt-get', 'download', ...new Set(programs.flatMap(wanted)))
    const debs = await names(join(work, 'debs'))
    for (const program of programs) {
      const root = join(work, program)
      for (const name of wanted(program)) {
        const deb = debs.find((file) => file.startsWith(`${name}_`))
        if (deb) await run('dpkg-deb', ['-x', join(work, 'debs', deb), root])
      }
      const command = await unpackedCommand(root, recipes[program].binary)
      if (!(command && (await asked(command, recipes[program])))) continue
      const target = join(cache, program)
      if (await find(program)) continue // another run has installed it meanwhile
      await rename(target, join(work, `old-${program}`)).catch(() => undefined)
      await rename(root, target).catch(async (error: unknown) => {
        if (!(await find(program))) throw error
      })
    }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/**
 * Makes sure that `programs` are on this machine: finds them, or else downloads them. Resolves to the programs. Rejects with
 * one error that says what to install for each program that is still missing.
 */
export async function install(
  programs: readonly Program[],
  say: (line: string) => void = () => undefined,
): Promise<Map<Program, Found>> {
  const found = new Map<Program, Found>()
  const look = async (program: Program): Promise<void> => {
    const result = await find(program)
    if (result) found.set(program, result)
  }
  await Promise.all(programs.map(look))
  const missing = (): Program[] => programs.filter((program) => !found.has(program))
  if (missing().length === 0) return found

  const problems: string[] = []
  if (missing().includes('garnet')) {
    say(`installing garnet to ${cacheFolder()}`)
    await installGarnet().catch((error: Error) => problems.push(`dotnet: ${error.message.split('\n')[0]}`))
    await look('garnet')
    if (missing().length === 0) return found
  }
  const source = process.platform === 'linux' ? await aptSource() : undefined
  if (source) {
    const suites = new Set(missing().flatMap((program) => recipes[program].suites))
    for (const suite of suites) {
      const here = missing().filter((program) => recipes[program].suites.includes(suite))
      if (here.length === 0) continue
      say(`downloading ${here.join(', ')} (Debian ${suite}) to ${cacheFolder()}`)
      await unpack(here, suite, source).catch((error: Error & { stderr?: string }) => {
        problems.push(`${suite}: ${(error.stderr || error.message).trim().split('\n').slice(-3).join(' | ')}`)
      })
      await Promise.all(here.map(look))
    }
  } else if (missing().some((program) => recipes[program].suites.length > 0))
    problems.push('downloading needs a Debian host with apt-get, dpkg-deb and a package source')
  const still = missing()
  if (still.length > 0) {
    const list = still.map((name) => `  ${name}: install ${recipes[name].wanted}, or set ${recipes[name].variable}`)
    const skip = `HITHER_SKIP_SERVERS=${still.join(',')} leaves them out, and says so.`
    throw new Error(['these servers cannot be had here:', ...list, ...problems.map((p) => `  (${p})`), skip].join('\n'))
  }
  return found
}
