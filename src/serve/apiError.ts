/** An error as OpenAI's API says it: a status and `{ error: { message, type, param, code } }`. */
export class ApiError extends Error {
  readonly status: 400 | 404 | 413 | 415 | 403 | 500 | 503
  readonly type: 'invalid_request_error' | 'server_error'
  readonly param: string | null
  readonly code: string | null

  constructor(
    status: ApiError['status'],
    type: ApiError['type'],
    message: string,
    more: { param?: string; code?: string } = {},
  ) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.type = type
    this.param = more.param ?? null
    this.code = more.code ?? null
  }

  get body() {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.code } }
  }
}
