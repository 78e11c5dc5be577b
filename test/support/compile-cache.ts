import { fileURLToPath } from 'node:url'

/**
 * The folder in which Node caches compiled sources, for every process that the tests start: a process that runs the package's
 * sources starts in half the time. Pass it to a child whose environment is set explicitly; others inherit it.
 */
export const compileCache: { readonly NODE_COMPILE_CACHE: string } = {
  NODE_COMPILE_CACHE: fileURLToPath(new URL('../../node_modules/.cache/hither-compiled', import.meta.url)),
}
