import { HitherError } from '../errors.ts'

/**
 * The error for what `openSocket` throws: `UNSUPPORTED` if this runtime has no socket of this kind, `INVALID_ARGUMENT` if it opens
 * none with these TLS options.
 */
export function unopened(cause: unknown): HitherError {
  const { code, message } = cause as Error & { readonly code?: string }
  // The sockets of Workers and Vercel throw a TypeError. Node's errors about a PFX file have no code either, but are no TypeErrors.
  if (code === undefined && cause instanceof TypeError) return new HitherError('UNSUPPORTED', message)
  return new HitherError('INVALID_ARGUMENT', `no socket opens with this tls (${code ?? 'see cause'}): check tls`, {
    cause,
  })
}
