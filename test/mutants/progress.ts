import type { Reporter, TestModule } from 'vitest/node'

/** What is sent when a test file begins, and again, with `ended`, when its tests have ended. */
export interface Progress {
  readonly file: string
  readonly ended?: {
    /** The first failure, as the title of its test and what it says; absent if all passed. */
    readonly failure?: { readonly title: string; readonly message: string }
  }
}

function firstFailure(module: TestModule): { title: string; message: string } | undefined {
  const [error] = module.errors()
  if (error) return { title: 'an error outside every test', message: error.message }
  for (const test of module.children.allTests('failed'))
    return { title: test.name, message: test.result().errors?.[0]?.message ?? '' }
  return module.state() === 'failed' ? { title: 'a suite or a hook', message: '' } : undefined
}

/** Sends each test file as it begins and ends to the process that started Vitest, so that it sees which file never ends. */
export default class SendProgress implements Reporter {
  onTestModuleQueued({ moduleId: file }: TestModule): void {
    this.#send({ file })
  }

  onTestModuleEnd(module: TestModule): void {
    const failure = firstFailure(module)
    this.#send({ file: module.moduleId, ended: failure ? { failure } : {} })
  }

  #send(progress: Progress): void {
    process.send?.(progress)
  }
}
