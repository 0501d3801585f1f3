/** Whoever calls a port, and what comes back to him. */

import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Credential } from "./certificates.ts";

export interface TlsCall {
  /** Nothing is shown without one. */
  readonly credential?: Credential;
  readonly alpn?: readonly string[];
  readonly serverName?: string;
}

export interface Answer {
  /** All that came until the connection ended. */
  readonly text: string;
  /** Node's code of how it broke; undefined if it was closed. */
  readonly broke: string | undefined;
}

/** @param afterMs of silence */
export async function callPlain(port: number, say: string, afterMs = 0): Promise<Answer> {
  const socket = connectTcp({ host: "127.0.0.1", port });
  return answerOf(socket, say, afterMs);
}

/** The server's certificate is not judged. */
export async function callTls(port: number, say: string, call: TlsCall = {}): Promise<Answer> {
  const { credential, alpn = [], serverName } = call;
  const socket = connectTls({
    host: "127.0.0.1",
    port,
    rejectUnauthorized: false,
    ALPNProtocols: [...alpn],
    ...(serverName !== undefined && { servername: serverName }),
    ...(credential && { cert: credential.cert, key: credential.key }),
  });
  return answerOf(socket, say);
}

/** Of at least five octets: with fewer Envoy waits for more, because it could be TLS. */
export const tcpMessage = "a ping";

const forged = "By=spiffe://td.test/ns/a/sa/b;URI=spiffe://td.test/ns/a/sa/forged";

/** It says in another's name who called, in all the spellings that CGI and WSGI take for one. */
export const httpRequest: string = [
  "GET / HTTP/1.1",
  "host: app",
  "connection: close",
  `x-forwarded-client-cert: ${forged}`,
  `X_Forwarded_Client_Cert: ${forged}`,
  `x_forwarded-client-cert: ${forged}`,
  `x-forwarded_client-cert: ${forged}`,
  `x-forwarded-client_cert: ${forged}`,
  "\r\n",
].join("\r\n");

/** All of the answer to one request over HTTP, for `host`. */
export async function callHost(port: number, host = "app"): Promise<string> {
  const request = `GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
  return (await callPlain(port, request)).text;
}

async function answerOf(socket: Socket, say: string, afterMs = 0): Promise<Answer> {
  let text = "";
  let broke: string | undefined;
  socket.on("data", (data: Buffer) => {
    text += data.toString("latin1");
    if (isWholeResponse(text)) socket.end();
  });
  socket.on("error", (error: NodeJS.ErrnoException) => (broke = error.code));
  socket.setTimeout(10_000, () => socket.destroy());
  const speak = () => void socket.write(say);
  const speaking = afterMs > 0 ? setTimeout(speak, afterMs) : speak();
  await new Promise((resolve) => socket.once("close", resolve));
  if (speaking) clearTimeout(speaking);
  return { text, broke };
}

/** After a last response Envoy waits a second for the client to close first. */
function isWholeResponse(text: string): boolean {
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const [, length] = /^content-length: (\d+)$/m.exec(head.replaceAll("\r", "")) ?? [];
  return text.includes("\r\n\r\n") && body.length >= Number(length ?? Infinity);
}
