/** Skips what is left of a file after its first failure: one is enough to kill a mutant. */
import { beforeEach } from 'vitest'

const failed = new Set<string>()
beforeEach(({ task, skip, onTestFailed }) => {
  const file = task.file.filepath
  if (failed.has(file)) skip()
  onTestFailed(() => {
    failed.add(file)
  })
})
