/** What to do about a connection that was not made, by the platform's code. Undefined for a code that says nothing more. */
export function connectHint(code: string): string | undefined {
  if (/^E[MN]FILE/.test(code)) return 'too many open files: raise ulimit -n'
  if (/ALERT_.*(CERT|UNKNOWN_CA)/.test(code)) return 'check tls.cert and tls.key'
  return /CERT|SIGNATURE/.test(code) ? 'check tls.ca, tls.servername and the certificate' : undefined
}
