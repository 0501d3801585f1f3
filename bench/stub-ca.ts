/**
 * An HTTP/2 server over TLS that answers as a gRPC CA would, or as a broken one: what the load
 * generator is tested against. It signs nothing.
 */

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type {
  IncomingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
  Settings,
} from "node:http2";
import { createSecureServer } from "node:http2";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { create, toBinary } from "@bufbuild/protobuf";
import { encodePem } from "../src/core/x509/pem.ts";
import { IstioCertificateResponseSchema } from "../src/gen/istio/v1/auth/ca_pb.ts";
import { SignBatchResponseSchema } from "../src/gen/portcullis/mesh/v1/mesh_pb.ts";

export type Answer = (
  stream: ServerHttp2Stream,
  message: Uint8Array,
  headers: IncomingHttpHeaders,
) => void;

export interface StubCa extends AsyncDisposable {
  readonly address: string;
  readonly rootFile: string;
  readonly sessions: ReadonlySet<ServerHttp2Session>;
  /** Sessions since the start, and those of them that resumed a TLS session. */
  readonly seen: { sessions: number; resumed: number };
}

export interface StubCaOptions {
  /** Takes the server's key and its self-signed certificate. */
  readonly directory: string;
  readonly answer: Answer;
  readonly settings?: Settings | undefined;
  readonly onSession?: ((session: ServerHttp2Session) => void) | undefined;
  /** Before the request has come whole. */
  readonly onRequest?: ((stream: ServerHttp2Stream) => void) | undefined;
}

export async function startStubCa(options: StubCaOptions): Promise<StubCa> {
  const { answer, settings = {}, onSession, onRequest } = options;
  const { keyFile, rootFile } = makeCertificate(options.directory);
  const [key, cert] = [readFileSync(keyFile), readFileSync(rootFile)];
  const server = createSecureServer({ key, cert, settings });
  const sessions = new Set<ServerHttp2Session>();
  const seen = { sessions: 0, resumed: 0 };
  server.on("session", (session) => {
    sessions.add(session);
    seen.sessions++;
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {});
    session.on("stream", (stream, headers) => {
      const parts: Buffer[] = [];
      stream.on("error", () => {});
      stream.on("data", (part: Buffer) => parts.push(part));
      onRequest?.(stream);
      stream.on("end", () => answer(stream, Buffer.concat(parts).subarray(5), headers));
    });
    onSession?.(session);
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    if (socket.isSessionReused()) seen.resumed++;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("expected a TCP port");
  return {
    address: `127.0.0.1:${address.port}`,
    rootFile,
    sessions,
    seen,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function makeCertificate(directory: string): { keyFile: string; rootFile: string } {
  const [keyFile, rootFile] = [join(directory, "key.pem"), join(directory, "root.pem")];
  const command =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=stub " +
    "-addext subjectAltName=DNS:localhost";
  const files = ["-keyout", keyFile, "-out", rootFile];
  execFileSync("openssl", [...command.split(" "), ...files], { stdio: "ignore" });
  return { keyFile, rootFile };
}

/** A reply with so many elements of so many bytes each, framed for gRPC. */
export function frameChain(elements = 2, derBytes = 500): Buffer {
  const certChain = makeChain(elements, derBytes);
  const response = create(IstioCertificateResponseSchema, { certChain });
  return frame(toBinary(IstioCertificateResponseSchema, response));
}

/** A reply to a batch, with one refusal if a number is given. */
export function frameBatch(length: number, refused?: number): Buffer {
  const certificate = { case: "certificate" as const, value: { certChain: makeChain(2, 500) } };
  const refusal = { case: "refusal" as const, value: { code: 7, message: "not yours" } };
  const results = Array.from({ length }, (_, index) => {
    return { result: index === refused ? refusal : certificate };
  });
  const response = create(SignBatchResponseSchema, { results });
  return frame(toBinary(SignBatchResponseSchema, response));
}

function makeChain(elements: number, derBytes: number): string[] {
  return Array.from({ length: elements }, () => encodePem(randomBytes(derBytes), "CERTIFICATE"));
}

function frame(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

export function reply(stream: ServerHttp2Stream, body: Uint8Array, status = "0"): void {
  if (stream.destroyed) return;
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status }));
  stream.end(body);
}

/** A refusal, in one block of headers as gRPC servers send it. */
export function refuse(stream: ServerHttp2Stream, status: number, message: string): void {
  stream.respond(
    {
      ":status": 200,
      "content-type": "application/grpc",
      "grpc-status": String(status),
      "grpc-message": encodeURIComponent(message),
    },
    { endStream: true },
  );
}
