#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs'
import module from 'node:module'

/** Version of the package. Its manifest is one folder up from the source, two from the built file. */
function version(): string {
  const places = ['../package.json', '../../package.json'].map((path) => new URL(path, import.meta.url))
  const manifest = places.find((place) => existsSync(place)) as URL
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}

const HELP = `hither: servers and tools beside the package

  hither dev              a server for development on this machine: Upstash's REST and Redis's RESP, no Redis needed
  hither gateway          Upstash's REST protocol in front of a Redis of yours
  hither doctor URL       what a server of yours can do, and what is missing
  hither migrate FROM TO  copies keys with their lifetimes from one system to another

  hither COMMAND --help   the options of one of them
  hither --version
`
// Node keeps its compiled code for the next start, from Node 22.1 on, unless NODE_DISABLE_COMPILE_CACHE is set.
;(module as { enableCompileCache?: () => unknown }).enableCompileCache?.()
// A reader of the output that leaves, such as `head` or a collector of logs, must not end the command.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
  })
}
// Each command imports only what it needs: a development server starts without the doctor's clients.
const [command, ...rest] = process.argv.slice(2)
try {
  if (command === 'gateway') await (await import('./gateway.ts')).gateway(rest)
  else if (command === 'dev') await (await import('./dev.ts')).dev(rest)
  else if (command === 'doctor') await (await import('./doctor.ts')).doctor(rest)
  else if (command === 'migrate') await (await import('./migrate.ts')).migrateCommand(rest)
  else if (command === '--version' || command === '-v') console.log(version())
  else if (command === undefined || command === '--help' || command === '-h' || command === 'help') console.log(HELP)
  else (await import('./fail.ts')).fail('no such command: there are dev, gateway, doctor and migrate')
} catch (error) {
  const { explain, fail } = await import('./fail.ts')
  fail(explain(error))
}
