/** Gates, laggards and refusals as `portcullis.admin.v1` has them. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { Gate, Laggard } from "../../../core/roll/laggard.ts";
import type { RotationRefusal } from "../../../core/trust/rotation.ts";
import type { Waiver } from "../../../edge/store/waivers.ts";
import type {
  EvidenceSchema,
  HoldersSchema,
  LaggardSchema,
  ReloadRefusalSchema,
  RootRefusalSchema,
  WaiverSchema,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import type { ReloadRefusal } from "../reload-refusals.ts";

export function laggardMessage({
  endsAtMs,
  ...laggard
}: Laggard): MessageInitShape<typeof LaggardSchema> {
  const { kind, name, spiffeId, reason, detail } = laggard;
  return {
    kind,
    name,
    spiffeId,
    reason,
    detail,
    ...(endsAtMs !== undefined && { endsAt: timestampFromMs(endsAtMs) }),
  };
}

export function evidenceMessage(gate: Gate): MessageInitShape<typeof EvidenceSchema> {
  const { total, confirmed, weak, waived, ackOnly = 0 } = gate.evidence;
  return {
    total: BigInt(total),
    confirmed: BigInt(confirmed),
    weak: BigInt(weak),
    waived: BigInt(waived),
    ackOnly: BigInt(ackOnly),
    lagging: BigInt(laggingOf(gate)),
    laggards: laggardsOf(gate).map(laggardMessage),
  };
}

export function holdersMessage(
  authorityId: string,
  gate: Gate,
): MessageInitShape<typeof HoldersSchema> {
  const { waived } = gate.evidence;
  const lastEndsAt = openingOf(gate);
  return {
    authorityId,
    unexpired: BigInt(laggingOf(gate) + waived),
    waived: BigInt(waived),
    named: laggardsOf(gate).map(laggardMessage),
    ...(lastEndsAt && { lastEndsAt }),
  };
}

export function refusalMessage({
  code,
  message,
  hint,
  gate,
}: RotationRefusal): MessageInitShape<typeof RootRefusalSchema> {
  const opensAt = openingOf(gate);
  return {
    code,
    message,
    hint,
    ...(gate !== undefined && {
      lagging: BigInt(gate.lagging),
      laggards: gate.laggards.map(laggardMessage),
      ...(opensAt && { opensAt }),
    }),
  };
}

export function waiverMessage({
  name,
  reason,
  operator,
  untilMs,
}: Pick<Waiver, "name" | "reason" | "operator" | "untilMs">): MessageInitShape<
  typeof WaiverSchema
> {
  return { name, reason, operator, until: timestampFromMs(untilMs) };
}

export function reloadRefusalMessage({
  part,
  reason,
  detail,
  hint = "",
  sinceMs,
}: ReloadRefusal): MessageInitShape<typeof ReloadRefusalSchema> {
  return { part, reason, detail, hint, since: timestampFromMs(sinceMs) };
}

/** When it opens at the latest, where the gate says it. */
export function openingOf(gate: Gate | undefined): Timestamp | undefined {
  const isKnown = gate?.kind === "closed" && gate.opensAtMs !== undefined;
  return isKnown ? timestampFromMs(gate.opensAtMs) : undefined;
}

export function laggardsOf(gate: Gate): readonly Laggard[] {
  return gate.kind === "closed" ? gate.laggards : [];
}

function laggingOf(gate: Gate): number {
  return gate.kind === "closed" ? gate.lagging : 0;
}
