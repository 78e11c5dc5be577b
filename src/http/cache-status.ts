/** How a response came about, for Cache-Status (RFC 9211). */
export interface Story {
  readonly hit?: boolean
  readonly fwd?: 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'miss' | 'request' | 'stale' | 'partial'
  readonly fwdStatus?: number
  readonly stored?: boolean
  /** `false`: the request waited for the response to another request, and could not use it. */
  readonly collapsed?: boolean
  /** Seconds of freshness left, negative when stale. */
  readonly ttl?: number
  readonly detail?: string
}

/** One member of the Cache-Status list. `name` is a token or a host. */
export function statusMember(name: string, story: Story): string {
  const parts = [name]
  if (story.hit) parts.push('hit')
  else if (story.fwd) {
    parts.push(`fwd=${story.fwd}`)
    if (story.fwdStatus !== undefined) parts.push(`fwd-status=${story.fwdStatus}`)
    if (story.stored) parts.push('stored')
    if (story.collapsed !== undefined) parts.push(story.collapsed ? 'collapsed' : 'collapsed=?0')
  }
  if (story.ttl !== undefined) parts.push(`ttl=${Math.trunc(story.ttl)}`)
  if (story.detail) parts.push(`detail=${story.detail}`)
  return parts.join('; ')
}
