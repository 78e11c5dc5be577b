/** What a request is answered when nothing of it ran; `message` holds none of its values. */
export class Refusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}
