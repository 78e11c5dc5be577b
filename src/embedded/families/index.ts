import type { Family } from '../contracts.ts'
import { acl } from './acl.ts'
import { bits } from './bits.ts'
import { clients } from './clients.ts'
import { command } from './command.ts'
import { connection } from './connection.ts'
import { counters } from './counters.ts'
import { dumps } from './dumps.ts'
import { expiry } from './expiry.ts'
import { functions } from './functions.ts'
import { geo } from './geo.ts'
import { hashFields } from './hash-fields.ts'
import { hashes } from './hashes.ts'
import { helps } from './help.ts'
import { hyperLogLogs } from './hyper-log-logs.ts'
import { json } from './json.ts'
import { jsonArrays } from './json-arrays.ts'
import { jsonValues } from './json-values.ts'
import { keys } from './keys.ts'
import { longestCommon } from './lcs.ts'
import { listMoves } from './list-moves.ts'
import { lists } from './lists.ts'
import { pubsub } from './pubsub.ts'
import { scripting } from './scripting.ts'
import { server } from './server.ts'
import { sets } from './sets.ts'
import { sortedCombined } from './sorted-combined.ts'
import { sortedRanges } from './sorted-ranges.ts'
import { sortedSets } from './sorted-sets.ts'
import { sorting } from './sorting.ts'
import { streamClaims } from './stream-claims.ts'
import { streamGroups } from './stream-groups.ts'
import { streamReads } from './stream-reads.ts'
import { streams } from './streams.ts'
import { strings } from './strings.ts'
import { transactions } from './transactions.ts'

/** The functions of all commands, by name. */
export const families: Family = Object.assign(
  {},
  acl,
  bits,
  clients,
  command,
  connection,
  counters,
  dumps,
  expiry,
  functions,
  geo,
  hashFields,
  hashes,
  helps,
  hyperLogLogs,
  json,
  jsonArrays,
  jsonValues,
  keys,
  listMoves,
  longestCommon,
  lists,
  pubsub,
  scripting,
  server,
  sets,
  sortedCombined,
  sortedRanges,
  sortedSets,
  sorting,
  streamClaims,
  streamGroups,
  streamReads,
  streams,
  strings,
  transactions,
)
