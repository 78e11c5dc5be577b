import { fileURLToPath } from 'node:url'

/**
 * Where Node keeps what it has made of sources, for every process that the tests start: one that reads the package's
 * sources starts in half the time. For a child whose environment is written down; the others inherit it.
 */
export const compileCache: { readonly NODE_COMPILE_CACHE: string } = {
  NODE_COMPILE_CACHE: fileURLToPath(new URL('../../node_modules/.cache/hither-compiled', import.meta.url)),
}
