/** Rows of `evidence.db` as what they mean. */

import type { AddressSpan } from "../../core/evidence/address-history.ts";
import type { MemberSpan } from "../../core/evidence/member.ts";
import { kindOf, sourceOf } from "./connection-codes.ts";
import type { StoredMember, StoredSeen } from "./evidence-question.ts";

type Row = Readonly<Record<string, unknown>>;

export function addressSpanOf(row: Row): AddressSpan {
  return {
    address: String(row["address"]),
    name: String(row["workload"]),
    isMeshed: row["meshed"] === 1,
    sinceMs: Number(row["since_ms"]),
    untilMs: optionalNumber(row["until_ms"]),
  };
}

export function memberOf(row: Row): StoredMember {
  return {
    key: String(row["id"]),
    proxy: String(row["proxy"]),
    spiffeId: String(row["spiffe_id"]),
    name: `${String(row["namespace"])}/${String(row["name"])}`,
    labels: new Map(row["labels"] === "" ? [] : JSON.parse(String(row["labels"]))),
    bornMs: Number(row["born_ms"]),
    goneMs: optionalNumber(row["gone_ms"]),
  };
}

export function seenOf(row: Row): StoredSeen {
  return {
    member: String(row["member"]),
    port: Number(row["port"]),
    kind: kindOf(row["kind"]),
    isRefused: row["refused"] === 1,
    source: sourceOf(row["source_kind"], row["name"]),
    firstMs: Number(row["since_ms"]),
    lastMs: Number(row["last_ms"]),
    // Its total may be as large as they get.
    count: Math.max(1, Number(row["count"])),
    claim: String(row["claim"]),
    everFirstMs: Number(row["ever_first_ms"]),
  };
}

export function spanOf(row: Row): MemberSpan {
  return {
    member: String(row["member"]),
    epochMs: Number(row["epoch_ms"]),
    port: Number(row["port"]),
    sinceMs: Number(row["since_ms"]),
    untilMs: Number(row["until_ms"]),
    lostUnmeshed: Number(row["lost_unmeshed"]),
    lostMeshed: Number(row["lost_meshed"]),
    openUnnamed: Number(row["open_unnamed"]),
    openMeshed: optionalNumber(row["open_meshed"]),
  };
}

function optionalNumber(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
