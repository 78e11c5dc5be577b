import type { Reporter, TestModule } from 'vitest/node'

const PREFIX = 'store contract: '

/** Prints the results of the contract suite as a table of stores and cases, if a run includes more than one store. */
export default class ContractTable implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const stores: string[] = []
    const rows = new Map<string, Map<string, string>>()
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const suite = test.parent.type === 'suite' ? test.parent.name : ''
        if (!suite.startsWith(PREFIX)) continue
        const project = module.project.name
        const store = suite.slice(PREFIX.length) + (project === 'node' || project === '' ? '' : ` (${project})`)
        if (!stores.includes(store)) stores.push(store)
        const row = rows.get(test.name) ?? new Map<string, string>()
        rows.set(test.name, row)
        row.set(store, { passed: 'ok', failed: 'FAILED', skipped: 'skipped', pending: '?' }[test.result().state])
      }
    }
    if (stores.length < 2) return
    const width = Math.max(...[...rows.keys()].map((name) => name.length))
    console.log('\nThe store contract (columns: stores, rows: cases; "-": not applicable, its reason is printed above)')
    stores.forEach((store, i) => {
      console.log(`  ${i + 1} = ${store}`)
    })
    for (const [name, row] of rows) {
      const cells = stores.map((store) => (row.get(store) ?? '-').padStart(7)).join('')
      console.log(`${name.padEnd(width)}${cells}`)
    }
  }
}
