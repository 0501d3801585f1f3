/**
 * gRPC calls written onto HTTP/2 as they are, right or wrong: grpc-js as a client would not send
 * most of what a server must be able to refuse.
 */

import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { once } from "node:events";
import {
  connect,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";

import {
  IstioCertificateRequestSchema,
  IstioCertificateResponseSchema,
} from "../../src/gen/istio/v1/auth/ca_pb.ts";
import { encodePem } from "../../src/core/x509/pem.ts";
import { ecTestKey, makeCsr, type TestKey } from "../support/csr.ts";
import { mint, type TestControlPlane } from "../support/control-plane.ts";

export const CREATE_CERTIFICATE = "/istio.v1.auth.IstioCertificateService/CreateCertificate";

/** gRPC status codes, by their numbers on the wire. */
export const CODE = {
  ok: 0,
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export interface WireReply {
  readonly code: number;
  readonly message: string;
  readonly metadata: IncomingHttpHeaders;
  readonly messages: readonly Uint8Array[];
}

export interface WireConnection extends AsyncDisposable {
  readonly session: ClientHttp2Session;
  call(path: string, body: Uint8Array, headers?: OutgoingHttpHeaders): Promise<WireReply>;
}

export function dialWire(
  { address, rootPem }: Pick<TestControlPlane, "address" | "rootPem">,
  options: SecureClientSessionOptions = {},
): WireConnection {
  const session = connect(`https://${address}`, { ca: rootPem, ...options });
  session.on("error", () => {});
  return {
    session,
    call: (path, body, headers = {}) => call(session, path, body, headers),
    [Symbol.asyncDispose]: async () => {
      if (session.closed || session.destroyed) return;
      const closed = once(session, "close");
      session.destroy();
      await closed;
    },
  };
}

async function call(
  session: ClientHttp2Session,
  path: string,
  body: Uint8Array,
  headers: OutgoingHttpHeaders,
): Promise<WireReply> {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  let seen: IncomingHttpHeaders = {};
  const take = (headers: IncomingHttpHeaders): void => void (seen = { ...seen, ...headers });
  stream.on("response", take);
  stream.on("trailers", take);
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.end(body);
  await once(stream, "close");
  return {
    code: Number(seen["grpc-status"] ?? -1),
    message: decodeURI(String(seen["grpc-message"] ?? "")),
    metadata: seen,
    messages: unframe(Buffer.concat(chunks)),
  };
}

/** One gRPC message, with its length in front. */
export function frame(message: Uint8Array): Uint8Array {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

function unframe(bytes: Buffer): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    messages.push(bytes.subarray(at + 5, end));
    at = end;
  }
  return messages;
}

/** The one key whose CSR is sent where the key does not matter. */
export const WIRE_KEY: TestKey = ecTestKey("P-256");
export const WIRE_CSR: string = csrPem(makeCsr(WIRE_KEY));

export function csrPem(der: Uint8Array): string {
  return encodePem(der, "CERTIFICATE REQUEST");
}

/** What is not said is right. */
export interface SigningRequest {
  readonly message?: MessageInitShape<typeof IstioCertificateRequestSchema>;
  /** Instead of `message`, without its length in front. */
  readonly body?: Uint8Array;
  /** The whole `authorization` value; null sends none. */
  readonly authorization?: string | null;
  readonly headers?: OutgoingHttpHeaders;
}

export interface SigningReply extends WireReply {
  readonly certChain: readonly string[];
}

export async function sign(
  connection: WireConnection,
  request: SigningRequest = {},
): Promise<SigningReply> {
  const { message, headers, authorization = `Bearer ${mint()}` } = request;
  const reply = await connection.call(
    CREATE_CERTIFICATE,
    frame(request.body ?? encodeRequest({ csr: WIRE_CSR, ...message })),
    { ...(authorization !== null && { authorization }), ...headers },
  );
  return { ...reply, certChain: decodeReply(reply) };
}

/** The `cert_chain` of an answer to CreateCertificate; empty if it has none. */
export function decodeReply({ messages: [message] }: WireReply): readonly string[] {
  return message ? fromBinary(IstioCertificateResponseSchema, message).certChain : [];
}

export function encodeRequest(
  message: MessageInitShape<typeof IstioCertificateRequestSchema>,
): Uint8Array {
  return toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, message));
}
