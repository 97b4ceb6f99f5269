import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createAdaptorServer } from '@hono/node-server'
import { SmolforgeError } from '../errors.ts'
import { createApp, isLoopback } from './app.ts'
import type { ChatModel } from './chatModel.ts'

export interface RunningServer {
  /** For example `http://127.0.0.1:8080`. */
  url: string
  /** Ends open answers and stops listening. */
  close(): Promise<void>
}

/**
 * Serves a model over OpenAI's HTTP API, with a chat page at `/`. It listens on this machine only unless `host` says
 * otherwise; port 0 takes a free one. There is no password: whoever can reach it can use it.
 *
 * @throws SmolforgeError `environment` when the port is taken or not allowed.
 */
export async function startServer(options: {
  model: ChatModel
  /** The name that clients see. */
  name?: string
  host?: string
  port?: number
}): Promise<RunningServer> {
  const { model, name = 'smolforge', host = '127.0.0.1', port = 8080 } = options
  const app = createApp({ model, name, chatPage: await readChatPage(), loopbackOnly: isLoopback(host) })
  const server = createAdaptorServer({ fetch: app.fetch })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, host, port)))
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    url: `http://${shown}:${address.port}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()))
        if ('closeAllConnections' in server) server.closeAllConnections()
      }),
  }
}

async function readChatPage(): Promise<string | undefined> {
  const beside = (path: string) => fileURLToPath(new URL(path, import.meta.url))
  // From dist/serve/ when compiled, from src/serve/ in a checkout.
  const path = [beside('../web/chat.html'), beside('../../dist/web/chat.html')].find(existsSync)
  return path === undefined ? undefined : await readFile(path, 'utf8')
}

function listenError(error: Error, host: string, port: number): unknown {
  const code = 'code' in error ? error.code : undefined
  const why: Record<string, string> = {
    EADDRINUSE: 'another program listens there',
    EACCES: 'this user may not listen there',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'there is no such host',
  }
  const reason = why[String(code)]
  if (reason === undefined) return error
  return new SmolforgeError('environment', `Cannot listen on ${host}:${port}: ${reason}`, {
    hint: 'Name another one with --port or --host.',
    cause: error,
  })
}
