export { createSessions } from './create-sessions.ts'
export type { ListedSession, Session, SessionRequest, Sessions, SessionsOptions } from './types.ts'
