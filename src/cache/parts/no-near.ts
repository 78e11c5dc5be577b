import type { NearPart } from '../../near/coherence.ts'

/** In place of a near tier: nothing is kept in this process. */
export const noNear: NearPart = {
  names: () => String,
  peek: nothing,
  get: nothing,
  begin: nothing,
  keep: nothing,
  copyForCaller: (value) => value,
  withInvalidation: (_keys, _kind, write) => write(),
  retryPendingDelete: nothing,
  beforeRead: nothing,
  onAnswer: nothing,
  stats: nothing,
  close: async () => {},
}

function nothing(): undefined {}
