/**
 * `portcullis.mesh.v1` MintJwtSvid: a JWT-SVID for whoever the token in the call's metadata authenticates, by the same
 * rules as a certificate. The log names the token by its `jti`, which is the ID of the request.
 */

import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import type { Caller } from "../../core/identity/caller.ts";
import { signJwtSvid, type JwtSvid } from "../../core/issuance/jwt-svid.ts";
import { extractBearer } from "../../edge/authn/bearer.ts";
import { isHealedByRefresh } from "../../edge/authn/token-authenticator.ts";
import { CaCallError, refusalOf, refusalStatus } from "../../edge/rpc/ca-status.ts";
import type { CallContext, ServerEvents } from "../../edge/telemetry/server-events.ts";
import {
  MintJwtSvidResponseSchema,
  type MintJwtSvidRequest,
  type MintJwtSvidResponse,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { Trust } from "./trust.ts";

export interface JwtSvidDependencies {
  readonly authenticate: (token: string, nowMs: number) => Caller;
  /** Reads the token issuers' keys anew, after a token named an unknown one. Never throws. */
  readonly refreshKeys: () => Promise<unknown>;
  readonly trust: () => Pick<Trust, "bundle" | "jwt">;
  readonly ttlSeconds: () => number;
  readonly events: ServerEvents;
  readonly nowMs: () => number;
  readonly requestId: () => string;
  readonly deadlineMs: number;
  /** How many may wait for a token issuer's keys. Nothing else of a call waits. */
  readonly waitingMax: number;
}

type MintCall = ServerUnaryCall<MintJwtSvidRequest, MintJwtSvidResponse>;

type Outcome =
  | { readonly kind: "minted"; readonly caller: Caller; readonly svid: JwtSvid }
  | { readonly kind: "refused"; readonly caller: Caller | undefined; readonly error: unknown };

/** The handler of `MintJwtSvid`. */
export function mintJwtSvidHandler(
  dependencies: JwtSvidDependencies,
): (call: MintCall, reply: sendUnaryData<MintJwtSvidResponse>) => void {
  const { refreshKeys, events, nowMs, requestId, deadlineMs, waitingMax } = dependencies;
  let waiting = 0;
  return (call, reply) => {
    const context: CallContext = {
      requestId: requestId(),
      peer: call.getPeer(),
      startedMs: nowMs(),
    };
    const settle = (outcome: Outcome): void => {
      if (outcome.kind === "refused") {
        const refusal = refusalOf(outcome.error);
        events.jwtSvidRefused(context, outcome.caller, refusal, outcome.error);
        return reply(refusalStatus(refusal, context.requestId));
      }
      const { caller, svid } = outcome;
      const { expiresAtMs } = svid;
      const audiences = call.request.audience.length;
      events.jwtSvidIssued(context, caller, { tokenId: context.requestId, audiences, expiresAtMs });
      reply(null, encodeReply(caller, svid));
    };
    const first = mint(call, context.requestId, dependencies);
    if (first.kind === "minted" || !isHealedByRefresh(first.error)) return settle(first);
    if (waiting >= waitingMax) return settle(refused("queue-full", "too many requests wait"));
    waiting++;
    void refreshKeys().finally(() => {
      waiting--;
      const isLate = call.cancelled || nowMs() >= context.startedMs + deadlineMs;
      if (isLate) settle(refused("deadline-exceeded", "the deadline passed while keys were read"));
      else settle(mint(call, context.requestId, dependencies));
    });
  };
}

function mint(
  { metadata, request }: MintCall,
  tokenId: string,
  { authenticate, trust, ttlSeconds, nowMs }: JwtSvidDependencies,
): Outcome {
  let caller: Caller | undefined;
  try {
    caller = authenticate(extractBearer(metadata.get("authorization").map(String)), nowMs());
    const { bundle, jwt } = trust();
    const order = {
      id: caller.id,
      audiences: request.audience,
      requestedTtlSeconds: request.validityDuration,
      evidenceExpiresAtMs: caller.expiresAtMs,
      tokenId,
    };
    const svid = signJwtSvid(order, { ...jwt, bundle }, ttlSeconds(), nowMs());
    return { kind: "minted", caller, svid };
  } catch (error) {
    return { kind: "refused", caller, error };
  }
}

function refused(code: "queue-full" | "deadline-exceeded", reason: string): Outcome {
  return { kind: "refused", caller: undefined, error: new CaCallError(code, reason) };
}

function encodeReply({ id }: Caller, { token, expiresAtMs }: JwtSvid): MintJwtSvidResponse {
  return create(MintJwtSvidResponseSchema, {
    spiffeId: id.toString(),
    svid: token,
    expiresAt: timestampFromMs(expiresAtMs),
  });
}
