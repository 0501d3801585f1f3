/**
 * `portcullis.mesh.v1` MintJwtSvid: a JWT-SVID for whoever the token in the call's metadata authenticates, by the same
 * rules as a certificate. The log names the token by its `jti`, which is the ID of the request.
 */

import { hash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import type { Caller } from "../../core/identity/caller.ts";
import { PendingCaller } from "../../core/identity/pending-caller.ts";
import { serialMagnitude } from "../../core/issuance/intent-checks.ts";
import {
  prepareJwtSvid,
  signPreparedJwtSvid,
  type JwtSvid,
  type JwtSvidAuthority,
  type PreparedJwtSvid,
} from "../../core/issuance/jwt-svid.ts";
import { evidenceOf } from "../../core/log/caller-evidence.ts";
import { extractBearer } from "../../edge/authn/bearer.ts";
import { isHealedByRefresh } from "../../edge/authn/token-authenticator.ts";
import { CaCallError, refusalOf, refusalStatus } from "../../edge/rpc/ca-status.ts";
import type { CallContext, ServerEvents } from "../../edge/telemetry/server-events.ts";
import {
  MintJwtSvidResponseSchema,
  type MintJwtSvidRequest,
  type MintJwtSvidResponse,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { Intent, Ledger, Signed } from "./log/ledger.ts";
import type { Trust } from "./trust.ts";

export interface JwtSvidDependencies {
  /** @param from where it came from @throws AuthnError; PendingCaller */
  readonly authenticate: (token: string, nowMs: number, from: string) => Caller;
  /** Reads the token issuers' keys anew, after a token named an unknown one. Never throws. */
  readonly refreshKeys: () => Promise<unknown>;
  /** @throws while it is not known what a restored log has lost */
  readonly assertSettled: () => void;
  /** @throws DeniedError, RateLimitError for a caller who gets nothing, or nothing now */
  readonly assertAdmitted: (caller: Caller, nowMs: number) => void;
  readonly ledger: Ledger;
  readonly trust: () => Pick<Trust, "bundle" | "jwt">;
  readonly ttlSeconds: () => number;
  readonly events: ServerEvents;
  readonly nowMs: () => number;
  readonly requestId: () => string;
  readonly deadlineMs: number;
  /** How many may wait for a token issuer's keys, or for whoever is asked about a token. */
  readonly waitingMax: number;
}

/** At the same time: a part of what the log may hold open, so that certificates find room. */
const mintingMax = 256;

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
  let minting = 0;
  const mint = async (call: MintCall, context: CallContext, known?: Caller): Promise<Outcome> => {
    if (minting >= mintingMax) return refused("queue-full", "too many requests wait");
    minting++;
    return await mintOne(call, context, dependencies, known).finally(() => minting--);
  };
  const mintAfter = async (
    wait: () => Promise<Caller | undefined>,
    call: MintCall,
    context: CallContext,
  ): Promise<Outcome> => {
    if (waiting >= waitingMax) return refused("queue-full", "too many requests wait");
    waiting++;
    let known: Caller | undefined;
    try {
      known = await wait();
    } catch (error) {
      return { kind: "refused", caller: undefined, error };
    } finally {
      waiting--;
    }
    const isLate = call.cancelled || nowMs() >= context.startedMs + deadlineMs;
    return isLate
      ? refused("deadline-exceeded", "the deadline passed while somebody was asked")
      : await mint(call, context, known);
  };
  const mintInTime = async (call: MintCall, context: CallContext): Promise<Outcome> => {
    const refreshed = async (): Promise<undefined> => void (await refreshKeys());
    let outcome = await mint(call, context);
    if (outcome.kind === "refused" && isHealedByRefresh(outcome.error)) {
      outcome = await mintAfter(refreshed, call, context);
    }
    if (outcome.kind === "minted" || !(outcome.error instanceof PendingCaller)) return outcome;
    return await mintAfter(outcome.error.ask, call, context);
  };
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
    void mintInTime(call, context).then(settle);
  };
}

/** Never rejects. */
async function mintOne(
  { metadata, request }: MintCall,
  { requestId, peer }: CallContext,
  {
    authenticate,
    assertSettled,
    assertAdmitted,
    trust,
    ttlSeconds,
    ledger,
    nowMs,
  }: JwtSvidDependencies,
  known?: Caller,
): Promise<Outcome> {
  let caller: Caller | undefined;
  try {
    assertSettled();
    const token = extractBearer(metadata.get("authorization").map(String));
    caller = known ?? authenticate(token, nowMs(), peer);
    assertAdmitted(caller, nowMs());
    const { bundle, jwt } = trust();
    const order = {
      id: caller.id,
      audiences: request.audience,
      requestedTtlSeconds: request.validityDuration,
      evidenceExpiresAtMs: caller.expiresAtMs,
      tokenId: requestId,
    };
    const prepared = prepareJwtSvid(order, { ...jwt, bundle }, ttlSeconds(), nowMs());
    const intent = jwtIntent(prepared, caller, jwt.keyId, peer);
    const [outcome] = await ledger.record([intent], () => [
      signRecorded(prepared, { ...jwt, bundle }),
    ]);
    if (outcome?.kind !== "issued") return { kind: "refused", caller, error: outcome?.error };
    return { kind: "minted", caller, svid: outcome.certificate };
  } catch (error) {
    return { kind: "refused", caller, error };
  }
}

function jwtIntent(
  { digest, intent }: PreparedJwtSvid,
  caller: Caller,
  keyId: string,
  address: string,
): Intent {
  return {
    artifact: "jwt",
    requestId: intent.tokenId,
    identity: caller.id.toString(),
    authority: Buffer.from(keyId, "base64url").toString("hex"),
    root: "",
    evidence: evidenceOf(caller, address),
    agent: "",
    prepared: {
      serial: serialMagnitude(Buffer.from(intent.tokenId.replaceAll("-", ""), "hex")),
      notBeforeMs: intent.iat * 1_000,
      notAfterMs: intent.exp * 1_000,
      // A JWT-SVID is bound to no key.
      keyDigest: new Uint8Array(32),
      tbsDigest: digest,
    },
  };
}

function signRecorded(
  prepared: PreparedJwtSvid,
  authority: JwtSvidAuthority,
): Signed<JwtSvid & { readonly digest: Uint8Array }> {
  try {
    const svid = signPreparedJwtSvid(prepared, authority);
    return {
      kind: "issued",
      certificate: { ...svid, digest: hash("sha256", svid.token, "buffer") },
    };
  } catch (error) {
    return { kind: "refused", error, outcome: "unknown" };
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
