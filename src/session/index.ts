export { createSessions } from './create-sessions.ts'
export { type HashedEntries, type HashedEntriesOptions, hashedEntries } from './hashed-entries.ts'
export type { ListedSession, Session, SessionRequest, Sessions, SessionsOptions } from './types.ts'
