/** A real Envoy for tests, and what it takes to look at it from outside. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { WorkloadCertificate } from "../../src/core/envoy/secret.ts";
import { encodePem } from "../../src/core/x509/pem.ts";
import { findEnvoy } from "../../src/edge/envoy/binary.ts";

/** Installs Envoy on the first run. */
export async function testEnvoy(): Promise<string> {
  return findEnvoy({ env: process.env, notify: (line) => process.stderr.write(`${line}\n`) });
}

/** Fails the test if the condition does not come true in time. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (const deadlineMs = Date.now() + 10_000; Date.now() < deadlineMs; await sleep(5)) {
    if (condition()) return;
  }
  assert.fail(`never came true: ${what}`);
}

export async function freePort(): Promise<number> {
  await using server = createServer();
  return await listen(server);
}

/** Greets every connection with "hello" and counts them. */
export class HelloApp implements AsyncDisposable {
  readonly #server = createServer((socket) => {
    this.connections += 1;
    socket
      .on("error", () => undefined)
      .resume()
      .end("hello");
  });
  connections = 0;

  async listen(): Promise<number> {
    return listen(this.#server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

export interface TlsAnswer {
  readonly body: string;
  readonly serialHex: string;
}

/** One connection with TLS 1.3; the peer's certificate is reported, not judged. */
export async function callTls(port: number, own?: WorkloadCertificate): Promise<TlsAnswer> {
  const identity = own && {
    cert: own.chain.map((der) => encodePem(der, "CERTIFICATE")).join(""),
    key: encodePem(own.privateKeyPkcs8, "PRIVATE KEY"),
  };
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ...identity });
  await once(socket, "secureConnect");
  const serialHex = peerSerial(socket);
  return { body: await text(socket), serialHex };
}

/** One plaintext connection; rejects if it is reset. */
export async function callPlain(port: number, say?: string): Promise<string> {
  const socket: Socket = connectTcp({ host: "127.0.0.1", port });
  await once(socket, "connect");
  if (say !== undefined) socket.write(say);
  return text(socket);
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert(typeof address === "object" && address !== null);
  return address.port;
}

function peerSerial(socket: TLSSocket): string {
  return socket.getPeerCertificate().serialNumber.toLowerCase();
}
