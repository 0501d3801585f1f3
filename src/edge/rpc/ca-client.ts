/**
 * The client's side of Istio's CA API. One connection for each certificate: they are rare, and the server's root and the
 * token are read afresh each time, as they change on disk.
 */

import { create } from "@bufbuild/protobuf";
import type { Client, ServiceError } from "@grpc/grpc-js";
import {
  IstioCertificateRequestSchema,
  IstioCertificateService,
  type IstioCertificateResponse,
} from "../../gen/istio/v1/auth/ca_pb.ts";
import { agentMetadata } from "./agent-metadata.ts";
import { CaClientError, clientError } from "./ca-client-error.ts";
import { dial, type ClientIdentity } from "./dial.ts";
import { methodDefinition } from "./service-definition.ts";
import { callUnary } from "./unary-call.ts";

export interface CertificateRequest {
  /** `HOST:PORT`. */
  readonly server: string;
  /** PEM. */
  readonly serverRoots: Uint8Array;
  /** Not with `identity`. */
  readonly token?: string;
  /** The certificate that is to be renewed. */
  readonly identity?: ClientIdentity;
  /** The agent's name in the server's roll; absent from whoever opens no mesh stream. */
  readonly agentId?: string;
  /** See `dial`. */
  readonly onVerified?: (root: Uint8Array) => void;
  readonly csrPem: string;
  /** 0 asks for the server's default. */
  readonly ttlSeconds: number;
  readonly timeoutMs: number;
}

/** @returns PEM: the leaf, each intermediate, all roots in the last element. @throws CaClientError */
export async function requestCertificate(
  request: CertificateRequest,
  signal: AbortSignal,
): Promise<readonly string[]> {
  signal.throwIfAborted();
  if (request.token !== undefined) assertSendable(request.token);
  const client = dial(request);
  try {
    const { certChain } = await call(client, request, signal);
    return certChain;
  } finally {
    client.close();
  }
}

const method = methodDefinition(
  IstioCertificateService,
  IstioCertificateService.method.createCertificate,
);

/** grpc-js would refuse it as well, and quote it in the error. */
function assertSendable(token: string): void {
  if (/^[\x21-\x7e]+$/.test(token)) return;
  throw new CaClientError("ca-token-malformed", "expected one token of printable ASCII", {
    hint: "look at the token file: is it empty, or does it hold more than a token?",
  });
}

function call(
  client: Client,
  request: CertificateRequest,
  signal: AbortSignal,
): Promise<IstioCertificateResponse> {
  const message = create(IstioCertificateRequestSchema, {
    csr: request.csrPem,
    validityDuration: BigInt(request.ttlSeconds),
  });
  const metadata = agentMetadata(request.agentId);
  if (request.token !== undefined) metadata.set("authorization", `Bearer ${request.token}`);
  const { timeoutMs } = request;
  const errorOf = (error: ServiceError): CaClientError => clientError(error, request.server);
  return callUnary(client, { method, message, metadata, timeoutMs, signal, errorOf });
}
