#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs'
import { HELP as DEV_HELP, dev } from './dev.ts'
import { DOCTOR_HELP, doctor } from './doctor.ts'
import { explain, fail } from './fail.ts'
import { gateway, HELP } from './gateway.ts'
import { MIGRATE_HELP, migrateCommand } from './migrate.ts'

/** Of the package: its manifest is one folder up from the source, two from what is built. */
function version(): string {
  const places = ['../package.json', '../../package.json'].map((path) => new URL(path, import.meta.url))
  const manifest = places.find((place) => existsSync(place)) as URL
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}

const [command, ...rest] = process.argv.slice(2)
try {
  if (command === 'gateway') await gateway(rest)
  else if (command === 'dev') await dev(rest)
  else if (command === 'doctor') await doctor(rest)
  else if (command === 'migrate') await migrateCommand(rest)
  else if (command === '--version' || command === '-v') console.log(version())
  else if (command === undefined || command === '--help' || command === '-h' || command === 'help')
    console.log(`${HELP}\n${DEV_HELP}\n${DOCTOR_HELP}\n${MIGRATE_HELP}`)
  else fail('no such command: try hither --help')
} catch (error) {
  fail(explain(error))
}
