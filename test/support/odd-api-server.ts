/** An API server that answers as it is told to: for faults that a real one does not show when it is asked to. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export class OddApiServer implements AsyncDisposable {
  readonly connection: KubeConnection;
  /** Of all requests, in their order. */
  readonly requests: URL[] = [];
  readonly #server: Server;

  /** @param answer to each request */
  static async start(answer: Answer): Promise<OddApiServer> {
    const requests: URL[] = [];
    const server = createServer((request, response) => {
      requests.push(new URL(request.url ?? "", "http://localhost"));
      answer(request, response);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new OddApiServer(server, requests);
  }

  private constructor(server: Server, requests: URL[]) {
    this.#server = server;
    this.requests = requests;
    const { port } = server.address() as AddressInfo;
    const credentials = { headers: {}, tls: {} };
    this.connection = new KubeConnection({
      access: { server: new URL(`http://127.0.0.1:${port}`), credentials: async () => credentials },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connection[Symbol.dispose]();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** What a list of a page has, as text. @param next to go on with; "" for none */
export function listPage(names: readonly string[], resourceVersion: string, next = ""): string {
  const items = names.map((name) => ({
    metadata: { name, namespace: "shop", uid: `uid-${name}` },
  }));
  return JSON.stringify({ metadata: { resourceVersion, continue: next }, items });
}

/** A line of a watch. */
export function watchLine(type: string, name: string, resourceVersion: string): string {
  const metadata = { name, namespace: "shop", uid: `uid-${name}`, resourceVersion };
  return `${JSON.stringify({ type, object: { metadata } })}\n`;
}
