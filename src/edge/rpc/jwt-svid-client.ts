/**
 * Asks the control plane for a JWT-SVID. One connection for each: they are cached, and so rare, and
 * the server's root and the token are read afresh each time, as they change on disk.
 */

import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Metadata, status, type Client, type ServiceError } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import {
  MeshService,
  MintJwtSvidRequestSchema,
  type MintJwtSvidResponse,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { dial } from "./dial.ts";
import { errorDetail, isAnswer } from "./error-detail.ts";
import { methodDefinition } from "./service-definition.ts";
import { callUnary } from "./unary-call.ts";

export interface JwtSvidMintRequest {
  /** `HOST:PORT`. */
  readonly server: string;
  /** PEM. */
  readonly serverRoots: Uint8Array;
  readonly token: string;
  readonly audiences: readonly string[];
  readonly timeoutMs: number;
}

/** Not verified yet. */
export interface MintedJwtSvid {
  readonly spiffeId: string;
  /** JWS, compact. */
  readonly svid: string;
  readonly expiresAtMs: number;
}

export type JwtSvidClientErrorCode =
  | "jwt-svid-token-malformed"
  | "jwt-svid-unauthenticated"
  | "jwt-svid-denied"
  | "jwt-svid-unsupported"
  | "jwt-svid-invalid-argument"
  /** It has answered that it cannot now. */
  | "jwt-svid-unavailable"
  | "jwt-svid-unreachable"
  | "jwt-svid-failed";

export class JwtSvidClientError extends PortcullisError<JwtSvidClientErrorCode> {
  override name = "JwtSvidClientError";
}

/** @throws JwtSvidClientError, or the reason of `signal` */
export async function requestJwtSvid(
  request: JwtSvidMintRequest,
  signal: AbortSignal,
): Promise<MintedJwtSvid> {
  signal.throwIfAborted();
  // grpc-js would refuse it as well, and quote it in the error.
  if (!/^[\x21-\x7e]+$/.test(request.token)) {
    const message = "expected one token of printable ASCII";
    throw new JwtSvidClientError("jwt-svid-token-malformed", message, {
      hint: "look at the token file: is it empty, or does it hold more than a token?",
    });
  }
  const client = dial(request);
  try {
    const { spiffeId, svid, expiresAt } = await call(client, request, signal);
    return { spiffeId, svid, expiresAtMs: expiresAt === undefined ? 0 : timestampMs(expiresAt) };
  } finally {
    client.close();
  }
}

const method = methodDefinition(MeshService, MeshService.method.mintJwtSvid);

function call(
  client: Client,
  request: JwtSvidMintRequest,
  signal: AbortSignal,
): Promise<MintJwtSvidResponse> {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${request.token}`);
  const message = create(MintJwtSvidRequestSchema, { audience: [...request.audiences] });
  const { timeoutMs } = request;
  const errorOf = (error: ServiceError): JwtSvidClientError => clientError(error, request);
  return callUnary(client, { method, message, metadata, timeoutMs, signal, errorOf });
}

const codes: ReadonlyMap<number, JwtSvidClientErrorCode> = new Map([
  [status.UNAUTHENTICATED, "jwt-svid-unauthenticated"],
  [status.PERMISSION_DENIED, "jwt-svid-denied"],
  [status.UNIMPLEMENTED, "jwt-svid-unsupported"],
  [status.INVALID_ARGUMENT, "jwt-svid-invalid-argument"],
  [status.UNAVAILABLE, "jwt-svid-unreachable"],
  [status.DEADLINE_EXCEEDED, "jwt-svid-unreachable"],
]);

function clientError(cause: ServiceError, { server }: JwtSvidMintRequest): JwtSvidClientError {
  const known = codes.get(cause.code) ?? "jwt-svid-failed";
  const code = known === "jwt-svid-unreachable" && isAnswer(cause) ? "jwt-svid-unavailable" : known;
  return new JwtSvidClientError(code, `${server}: ${errorDetail(cause)}`, { cause });
}
