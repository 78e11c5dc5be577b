/**
 * Removes each guard of the near tier, one at a time, and runs the unit tests on the rest, which must fail.
 * `node test/unit/near/mutants.ts` prints one line for each guard, and fails if the tests pass without one.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

type Mutant = readonly [
  file: 'bounded-map' | 'isolate' | 'local-tier' | 'near-tier',
  guard: string,
  text: string,
  instead: string,
]

const mutants: readonly Mutant[] = [
  ['bounded-map', 'an ended entry is no hit', 'if (leftMs > 0 && leftMs', 'if (leftMs'],
  ['bounded-map', 'nor one with more left than any', ' && leftMs <= maxLifeMs', ''],
  ['bounded-map', 'a hit is marked', 'if (!(state & 1)) cells[at] = state | 1', ''],
  ['bounded-map', 'the hand takes marks away', ';(cells[hand * WIDTH + STATE] as number)--', 'break'],
  ['bounded-map', 'the hand moves off a removed slot', 'if (slot === hand) hand = newer', ''],
  ['bounded-map', 'entries are bounded', 'if (slots.size >= maxEntries) evict()', ''],
  ['bounded-map', 'bytes are bounded', 'while (heldBytes + bytes > maxBytes) evict()', ''],
  ['bounded-map', 'bytes are given back on removal', 'heldBytes -= bytesOf(slot)\n    slots', 'slots'],
  ['bounded-map', 'bytes are given back on replacement', 'if (read) heldBytes -= bytesOf(slot)', 'if (read) {}'],
  ['bounded-map', 'a larger value makes room first', ' && heldBytes - bytesOf(slot) + bytes <= maxBytes', ''],
  ['bounded-map', 'an entry larger than the map', 'bytes <= Math.min(maxBytes, MAX_ENTRY_BYTES)', 'bytes <= 2 ** 27'],
  ['bounded-map', 'an entry larger than its field', 'Math.min(maxBytes, MAX_ENTRY_BYTES)', 'maxBytes'],
  ['bounded-map', 'an end that is past', '(times[0] as number) > nowMs && ', ''],
  [
    'bounded-map',
    'what cannot be stored drops what is held',
    'if (slot) remove(slot)\n        if (!fits)',
    'if (!fits)',
  ],
  ['bounded-map', 'replaced in place counts as read', 'mark * 2 + read', 'mark * 2'],
  ['bounded-map', 'the sweep takes what has ended', 'time(swept, 0) <= nowMs) remove(swept)', 'false) remove(swept)'],
  ['bounded-map', 'and nothing else', ' && time(swept, 0) <= nowMs', ''],
  ['bounded-map', 'nor a slot twice', 'keys[swept] !== undefined && ', ''],
  ['bounded-map', 'slots are used again', 'const slot = free || used++', 'const slot = used++'],
  ['bounded-map', 'old slots are kept when more are made', 'cells.set(oldCells)', ''],
  ['bounded-map', 'and their times', 'stamps.set(oldStamps)', ''],
  ['bounded-map', 'a clear empties the queue', 'slots.forEach(remove)', 'slots.clear()'],
  ['isolate', 'depth is bounded', ' || depth > MAX_DEPTH', ''],
  ['isolate', 'a function', "typeof part === 'function' || ", ''],
  ['isolate', 'an instance of a class', "Object.hasOwn(base, 'isPrototypeOf')", 'true'],
  ['isolate', 'the keys of a Map', 'all([...(part as Map<unknown, unknown>).keys()])', ''],
  ['isolate', 'the items of a Set', 'all([...(part as Set<unknown>)])', ''],
  ['isolate', 'the worst part counts', 'if (found > worst) worst = found', 'worst = found'],
  ['isolate', 'plain data is frozen', 'if (freeze) Object.freeze(part)', ''],
  ['isolate', 'texts are weighed', 'bytes += weighText(part)', 'bytes += 0'],
  ['isolate', 'two bytes a character', 'width = 2', 'width = 1'],
  ['isolate', 'items are weighed', 'WORD * part.length', '0'],
  ['isolate', 'bytes are weighed', 'BYTES + (part as Uint8Array).byteLength', 'BYTES'],
  ['isolate', 'objects are weighed', 'OBJECT + WORD *', '0 *'],
  ['local-tier', 'the weight counts', ' + Math.ceil(bytes),', ','],
  ['isolate', 'copying goes down a list', 'value.map(clone)', 'value.slice()'],
  ['isolate', 'and an object', 'out[key] = clone(out[key])', ''],
  ['isolate', 'and a Map', '[...value].map(clone) as', '[...value] as'],
  ['isolate', 'and a Set', 'new Set([...value].map(clone))', 'new Set(value)'],
  ['isolate', 'bytes are copied', 'value.slice()\n', 'value\n'],
  ['isolate', 'a Date is copied', 'new Date(value.getTime())', 'value'],
  ['isolate', '__proto__ is a property', '= { ...value }', '= Object.assign({}, value)'],
  ['local-tier', 'a void ticket', 'ended[cellOf(key)] as number) <= ticket', 'ended[cellOf(key)] as number) >= 0'],
  ['local-tier', 'a delete voids tickets', 'ended[cellOf(key)] = ++turn', ''],
  ['local-tier', 'a clear voids tickets', 'allEnded = ++turn', ''],
  ['local-tier', 'but not all for each delete', '& (CELLS - 1)', '& 7'],
  ['local-tier', 'a tag that was ended voids tickets', '!(extras && !tagsStand(extras, ticket)) &&', ''],
  ['local-tier', 'and ends what is held', 'tagsStand(extras, ticket) && (!extras.stands', '(!extras.stands'],
  ['local-tier', 'tags are bounded', 'if (endedTags.size <= MAX_ENDED_TAGS) return', 'return'],
  ['local-tier', 'one forgotten ends all before it', 'forgotten = at', ''],
  ['local-tier', 'what must stand', ' && (!extras.stands || extras.stands())', ''],
  [
    'local-tier',
    'peek leaves what must stand',
    'extras.tags || extras.stands || extras.schema',
    'extras.tags || extras.schema',
  ],
  ['local-tier', 'peek leaves what a schema has checked', 'extras.stands || extras.schema', 'extras.stands'],
  ['local-tier', 'an older write', 'time(held, WRITTEN) > writtenMs', 'false'],
  ['local-tier', 'an equal write is taken', 'time(held, WRITTEN) > writtenMs', 'time(held, WRITTEN) >= writtenMs'],
  ['local-tier', 'what is kept is a copy', 'isolation === CLONED || (callerMayModify', 'false || (callerMayModify'],
  ['local-tier', 'a copy of what its caller may modify', '(callerMayModify && isolation !== UNKNOWN)', 'false'],
  ['local-tier', 'which is frozen', 'if (callerMayModify && isolation === FROZEN) isolate(own)', ''],
  ['local-tier', 'which is not frozen itself', 'isolate(value, !callerMayModify)', 'isolate(value)'],
  ['local-tier', 'what is given out is a copy', 'mark & CLONED ? clone(value) : value', 'value'],
  ['local-tier', 'what cannot be isolated is not kept', 'isolation === UNKNOWN ? Number.POSITIVE_INFINITY :', ''],
  ['local-tier', 'maxAge', 'Math.min(expiresMs, nowMs + maxAgeMs)', 'expiresMs'],
  ['local-tier', 'the end of the entry', 'Math.min(expiresMs, nowMs + maxAgeMs)', 'nowMs + maxAgeMs'],
  ['local-tier', 'peek knows what is stale', ' || (mark & GRACED && time(slot, FRESH_UNTIL) <= nowMs)', ''],
  ['local-tier', 'what is kept past its freshness is marked', '(freshUntilMs < keptUntilMs ? GRACED : 0)', '0'],
  ['local-tier', 'peek leaves tags to be compared', 'if (mark & GUARDED || (mark & GRACED', 'if ((mark & GRACED'],
  [
    'near-tier',
    'an unknown option',
    'for (const name of Object.keys(rest)) throw',
    'for (const name of [] as string[]) throw',
  ],
  ['near-tier', 'bounds are whole numbers', "checkWhole(maxEntries, 'maxEntries', 1, 2 ** 24 - 1)", ''],
  ['near-tier', 'above 0', "'maxBytes', 1", "'maxBytes'"],
  ['near-tier', 'and not too large', '1, 2 ** 24 - 1', '1'],
]

const root = fileURLToPath(new URL('../../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'hither-mutants-'))
try {
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const names = ['none', ...mutants.map((_, i) => `m${i}`)]
  for (const [i, name] of names.entries()) {
    const home = join(folder, name)
    mkdirSync(home)
    for (const part of ['src/errors.ts', 'src/near', 'src/protocol', 'src/runtime', 'test/unit/near'])
      cpSync(join(root, part), join(home, part), { recursive: true })
    cpSync(join(root, 'adapters/node/background.ts'), join(home, 'background.ts'))
    const imports = { '#background': './background.ts' }
    writeFileSync(join(home, 'package.json'), JSON.stringify({ type: 'module', imports }))
    // So many histories are enough to find each missing guard, and few enough to run for all of them.
    for (const test of ['bounded-map', 'near-tier']) {
      const path = join(home, `test/unit/near/${test}.test.ts`)
      writeFileSync(path, readFileSync(path, 'utf8').replace(/numRuns: \d+/g, 'numRuns: 40'))
    }
    // Without some of the guards, making room would never end.
    const map = join(home, 'src/near/bounded-map.ts')
    const evict = 'const evict = (): void => {'
    const bounded = `${evict}\n    if (evicted > 100_000) throw new Error('no end to it')`
    writeFileSync(map, readFileSync(map, 'utf8').replace(evict, bounded))
    const mutant = mutants[i - 1]
    if (!mutant) continue
    const [file, guard, text, instead] = mutant
    const path = join(home, `src/near/${file}.ts`)
    const source = readFileSync(path, 'utf8')
    if (source.split(text).length !== 2) throw new Error(`${file}: "${guard}" is not there once`)
    writeFileSync(
      path,
      source.replace(text, () => instead),
    )
  }
  const output = join(folder, 'report.json')
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const how = [
    'run',
    '--root',
    folder,
    '--no-isolate',
    // This test measures a heap, in a separate process each time.
    '--exclude',
    '**/weight.test.ts',
    '--maxWorkers',
    '1',
    '--reporter',
    'json',
    '--outputFile',
    output,
  ]
  spawnSync(process.execPath, [vitest, ...how], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  const { testResults } = JSON.parse(readFileSync(output, 'utf8')) as {
    testResults: { name: string; assertionResults: { status: string; title: string }[] }[]
  }
  const failures = (name: string): string[] =>
    testResults
      .filter((file) => relative(folder, file.name).startsWith(`${name}/`))
      .flatMap((file) => file.assertionResults.filter(({ status }) => status === 'failed').map(({ title }) => title))
  if (failures('none').length > 0) throw new Error(`unchanged, this fails: ${failures('none').join(', ')}`)
  let survived = 0
  for (const [i, [file, guard]] of mutants.entries()) {
    const failed = failures(`m${i}`)
    if (failed.length === 0) survived++
    console.log(`${failed.length > 0 ? 'killed  ' : 'SURVIVED'} ${file}: ${guard}${failed[0] ? ` — ${failed[0]}` : ''}`)
  }
  console.log(`${mutants.length - survived} of ${mutants.length} killed`)
  process.exitCode = survived > 0 ? 1 : 0
} finally {
  rmSync(folder, { recursive: true, force: true })
}
