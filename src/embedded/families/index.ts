import type { Family } from '../table.ts'
import { acl } from './acl.ts'
import { bits } from './bits.ts'
import { clients } from './clients.ts'
import { command } from './command.ts'
import { connection } from './connection.ts'
import { counters } from './counters.ts'
import { expiry } from './expiry.ts'
import { keys } from './keys.ts'
import { pubsub } from './pubsub.ts'
import { scripting } from './scripting.ts'
import { server } from './server.ts'
import { strings } from './strings.ts'
import { transactions } from './transactions.ts'

/** The functions of all commands, by name. */
export const families: Family = {
  ...acl,
  ...bits,
  ...clients,
  ...command,
  ...connection,
  ...counters,
  ...expiry,
  ...keys,
  ...pubsub,
  ...scripting,
  ...server,
  ...strings,
  ...transactions,
}
