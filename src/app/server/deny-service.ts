/** `portcullis.admin.v1` AddDenial, ListDenials and RemoveDenial. */

import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { status, type handleUnaryCall } from "@grpc/grpc-js";
import type { Denial } from "../../core/deny/denial.ts";
import { DenyListError, type DenyListErrorCode } from "../../core/deny/deny-error.ts";
import { parseDenyTarget, targetKey, type DenyTarget } from "../../core/deny/deny-target.ts";
import type { PortcullisError } from "../../core/error.ts";
import type { TrustDomain } from "../../core/spiffe/id.ts";
import { warningMetadata } from "../../edge/rpc/warnings.ts";
import type { CertificateIndex } from "../../edge/log/certificate-index.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import {
  DenialSchema,
  ListDenialsResponseSchema,
  type AddDenialRequest,
  type Denial as DenialMessage,
  type ListDenialsRequest,
  type ListDenialsResponse,
  type RemoveDenialRequest,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import type { Denials } from "./denials.ts";
import { answerCommand, assertClaim } from "./operator-command.ts";

export interface DenyServiceDependencies {
  readonly denials: Pick<Denials, "list" | "add" | "remove">;
  readonly trustDomain: TrustDomain;
  /** Where a typing error shows: nothing has been signed for it. */
  readonly certificates: Pick<CertificateIndex, "bySerial" | "newest">;
  readonly log: Logger;
}

export interface DenyHandlers {
  readonly addDenial: handleUnaryCall<AddDenialRequest, DenialMessage>;
  readonly listDenials: handleUnaryCall<ListDenialsRequest, ListDenialsResponse>;
  readonly removeDenial: handleUnaryCall<RemoveDenialRequest, DenialMessage>;
}

export function denyHandlers(dependencies: DenyServiceDependencies): DenyHandlers {
  const { denials, trustDomain, log } = dependencies;
  return {
    addDenial: (call, reply) =>
      void answerCommand(
        reply,
        log,
        async () => {
          const { target: text, operator, reason, until } = call.request;
          assertClaim({ operator, reason });
          const target = parseDenyTarget(text, trustDomain);
          const warning = warningOf(target, dependencies);
          const end = until === undefined ? {} : { untilMs: timestampMs(until) };
          const denial = await denials.add({ target, reason, operator, ...end });
          if (warning !== undefined) call.sendMetadata(warningMetadata(warning));
          const fields = { event: "denied", number: denial.sequence, operator, reason };
          log.warn({ ...fields, subject: targetKey(target) }, "denied");
          return messageOf(denial);
        },
        codeOf,
      ),
    listDenials: (_, reply) => {
      const { sequence, denials: all } = denials.list;
      const message = { sequence: BigInt(sequence), denials: all.map(messageOf) };
      reply(null, create(ListDenialsResponseSchema, message));
    },
    removeDenial: ({ request }, reply) =>
      void answerCommand(
        reply,
        log,
        async () => {
          const { sequence, operator, reason } = request;
          assertClaim({ operator, reason });
          const denial = await denials.remove(Number(sequence), { operator, reason });
          const fields = { event: "denial-removed", number: denial.sequence, operator, reason };
          log.warn({ ...fields, subject: targetKey(denial.target) }, "denied no more");
          return messageOf(denial);
        },
        codeOf,
      ),
  };
}

const codes: Readonly<Record<DenyListErrorCode, status | undefined>> = {
  "deny-target-invalid": status.INVALID_ARGUMENT,
  "denial-invalid": status.INVALID_ARGUMENT,
  "denial-unknown": status.NOT_FOUND,
  "deny-list-full": status.RESOURCE_EXHAUSTED,
  "deny-list-malformed": undefined,
};

function codeOf(error: PortcullisError): status | undefined {
  return error instanceof DenyListError ? codes[error.code] : undefined;
}

/** A serial that nothing has may be one letter away from the one that was meant. */
function warningOf(
  target: DenyTarget,
  { certificates }: DenyServiceDependencies,
): string | undefined {
  if (target.kind === "identity") {
    if (certificates.newest(target.id) !== undefined) return undefined;
    return `the log has no certificate of ${target.id}`;
  }
  const { serialHex } = target;
  if (certificates.bySerial(Buffer.from(serialHex, "hex")) !== undefined) return undefined;
  return `the log has no certificate with the serial ${serialHex}`;
}

function messageOf(denial: Denial): DenialMessage {
  const { sequence, target, reason, operator, createdAtMs, untilMs } = denial;
  return create(DenialSchema, {
    sequence: BigInt(sequence),
    target: targetKey(target),
    reason,
    operator,
    createdAt: timestampFromMs(createdAtMs),
    ...(untilMs !== undefined && { until: timestampFromMs(untilMs) }),
  });
}
