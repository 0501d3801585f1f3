/**
 * `portcullis.admin.v1` CreateJoinToken. The token is in the reply and nowhere else. It grants an identity, so the log has
 * the command before the token counts.
 */

import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { status, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import {
  decideJoinTtlSeconds,
  encodeJoinToken,
  JOIN_TOKEN_RANDOM_BYTES,
  JoinTokenError,
  joinTokenDigest,
  joinTokenId,
  parseJoinIdentity,
  type JoinTokenErrorCode,
} from "../../core/identity/join-token.ts";
import { LogError } from "../../core/log/log-error.ts";
import type { TrustDomain } from "../../core/spiffe/id.ts";
import type { JoinTokens } from "../../edge/store/join-tokens.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import {
  CreateJoinTokenResponseSchema,
  type CreateJoinTokenRequest,
  type CreateJoinTokenResponse,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import type { LogEvent } from "./log/log-keeper.ts";
import { assertClaim, CommandError } from "./operator-command.ts";

export interface JoinTokenDependencies {
  readonly joinTokens: JoinTokens;
  readonly trustDomain: TrustDomain;
  /** Durable in the transparency log when it resolves. */
  readonly record: (event: LogEvent) => Promise<void>;
  readonly log: Logger;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly nowMs: () => number;
}

/** The handler of `CreateJoinToken`. */
export function createJoinTokenHandler(
  dependencies: JoinTokenDependencies,
): (
  call: ServerUnaryCall<CreateJoinTokenRequest, CreateJoinTokenResponse>,
  reply: sendUnaryData<CreateJoinTokenResponse>,
) => void {
  const { log } = dependencies;
  return ({ request }, reply) => {
    createJoinToken(request, dependencies).then(
      (response) => reply(null, response),
      (error: unknown) => {
        if (error instanceof JoinTokenError) {
          return reply({ code: CODES[error.code], details: error.message });
        }
        if (error instanceof CommandError) {
          return reply({ code: status.INVALID_ARGUMENT, details: error.message });
        }
        log.error({ event: "join-token-failed", error }, "no join token could be made");
        const what = error instanceof LogError ? "the log" : "the store of join tokens";
        reply({ code: status.UNAVAILABLE, details: `${what} cannot be used` });
      },
    );
  };
}

const CODES: Readonly<Record<JoinTokenErrorCode, status>> = {
  "join-token-identity": status.INVALID_ARGUMENT,
  "join-token-ttl": status.INVALID_ARGUMENT,
  "join-tokens-full": status.RESOURCE_EXHAUSTED,
};

async function createJoinToken(
  request: CreateJoinTokenRequest,
  { joinTokens, trustDomain, record, log, randomBytes, nowMs }: JoinTokenDependencies,
): Promise<CreateJoinTokenResponse> {
  const now = nowMs();
  const id = parseJoinIdentity(request.spiffeId, trustDomain);
  const expiresAtMs = now + decideJoinTtlSeconds(request.validityDuration) * 1_000;
  const token = encodeJoinToken(randomBytes(JOIN_TOKEN_RANDOM_BYTES));
  const digest = joinTokenDigest(token);
  const tokenId = joinTokenId(digest);
  const spiffeId = id.toString();
  const expiresAt = new Date(expiresAtMs).toISOString();
  const detail = JSON.stringify({ joinTokenId: tokenId, until: expiresAt });
  const { operator } = request;
  // A client that is older names nobody.
  if (operator !== "") assertClaim({ operator, reason: "join-token" });
  await record({ type: "command", operator, subject: spiffeId, reason: "join-token", detail });
  joinTokens.add({ digest, id, expiresAtMs }, now);
  log.info(
    { event: "join-token-created", operator, joinTokenId: tokenId, spiffeId, expiresAt },
    "join token created",
  );
  return create(CreateJoinTokenResponseSchema, {
    token,
    spiffeId,
    expiresAt: timestampFromMs(expiresAtMs),
  });
}
