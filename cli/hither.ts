#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs'
import module from 'node:module'

/** Version of the package. Its manifest is one folder up from the source, two from the built file. */
function version(): string {
  const places = ['../package.json', '../../package.json'].map((path) => new URL(path, import.meta.url))
  const manifest = places.find((place) => existsSync(place)) as URL
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}

/** The help of all commands. */
async function help(): Promise<string> {
  const [{ HELP }, { HELP: DEV_HELP }, { DOCTOR_HELP }, { MIGRATE_HELP }] = await Promise.all([
    import('./gateway.ts'),
    import('./dev.ts'),
    import('./doctor.ts'),
    import('./migrate.ts'),
  ])
  return `${HELP}\n${DEV_HELP}\n${DOCTOR_HELP}\n${MIGRATE_HELP}`
}
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
  else if (command === undefined || command === '--help' || command === '-h' || command === 'help')
    console.log(await help())
  else (await import('./fail.ts')).fail('no such command: try hither --help')
} catch (error) {
  const { explain, fail } = await import('./fail.ts')
  fail(explain(error))
}
