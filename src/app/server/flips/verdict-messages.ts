/** Verdicts, callers and refusals as `portcullis.admin.v1` has them. A list that no message could carry is cut, and says so. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Caller, CallerHolder } from "../../../core/evidence/caller.ts";
import type { Silent } from "../../../core/evidence/silent.ts";
import type { TargetPort } from "../../../core/flip/target-modes.ts";
import { nameMessage } from "../../../edge/rpc/resource-messages.ts";
import type { CallerWaiver } from "../../../edge/store/caller-waivers.ts";
import type {
  FlipRefusalSchema,
  MtlsTargetPortSchema,
  MtlsVerdictSchema,
  PlaintextCallerSchema,
  SilentProxySchema,
  WaiverSchema,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { waiverMessage } from "../rotation/root-messages.ts";
import type { Refusal } from "./flip-refusals.ts";
import type { Judgement } from "./judgement.ts";
import { silentWords } from "./silent-words.ts";
import { flipUnderWayMessage, otherMessage } from "./surroundings-messages.ts";

/** Of callers, of the silent and of waivers; those that count come first. */
const rowsDefault = 1_000;
const portsMax = 10_000;
/** Of a caller: addresses, and whom it called. */
const namedMax = 20;

/** @param rowsMax where one of many is told */
export function verdictMessage(
  judgement: Judgement,
  rowsMax: number = rowsDefault,
): MessageInitShape<typeof MtlsVerdictSchema> {
  const { target, nowMs, verdict, waivers, ports, withoutProxy, isStrictAlready } = judgement;
  const { flips, others } = judgement;
  const { kind, callers, silent, coverage } = verdict;
  return {
    target: target.text,
    verdict: kind,
    now: timestampFromMs(nowMs),
    since: timestampFromMs(coverage.fromMs),
    callers: callers.slice(0, rowsMax).map(callerMessage),
    silent: silent.slice(0, rowsMax).map(silentMessage),
    ports: ports.slice(0, Math.min(rowsMax * 10, portsMax)).map(portMessage),
    mtlsConnections: BigInt(coverage.connections.mtls),
    otherConnections: BigInt(coverage.connections.unmeshed),
    openMtls: BigInt(coverage.openMtls),
    lost: BigInt(coverage.lost.mtls + coverage.lost.unmeshed),
    lostMtls: BigInt(coverage.lost.mtls),
    proxies: coverage.members,
    waivers: waivers.slice(0, rowsMax).map(callerWaiverMessage),
    withoutProxy: withoutProxy.slice(0, rowsMax),
    strictAlready: isStrictAlready,
    decidedByOthers: others.slice(0, rowsMax).map(otherMessage),
    flips: flips.slice(0, rowsMax).map((each) => flipUnderWayMessage(each, target.text)),
  };
}

export function refusalMessage({
  code,
  message,
  hint,
  judgement,
}: Refusal): MessageInitShape<typeof FlipRefusalSchema> {
  const verdict = judgement && verdictMessage(judgement);
  return { code, message, hint, ...(verdict && { verdict }) };
}

export function callerWaiverMessage(waiver: CallerWaiver): MessageInitShape<typeof WaiverSchema> {
  return { ...waiverMessage(waiver), target: waiver.targetText };
}

export function callerMessage(caller: Caller): MessageInitShape<typeof PlaintextCallerSchema> {
  const { name, holder, kind, isRefused, addresses, called, firstMs, lastMs } = caller;
  const more = [cut("address", addresses), cut("port", called)].filter((each) => each !== "");
  return {
    name,
    holder: holderName(holder),
    addresses: addresses.slice(0, namedMax),
    kind,
    refused: isRefused,
    called: called.slice(0, namedMax),
    ...(firstMs !== undefined && { firstSeen: timestampFromMs(firstMs) }),
    ...(lastMs !== undefined && { lastSeen: timestampFromMs(lastMs) }),
    count: BigInt(caller.count),
    claim: caller.claim,
    waived: caller.isWaived,
    detail: [holderDetail(holder), ...more].filter((each) => each !== "").join("; "),
  };
}

/** What is not named of these. */
function cut(what: string, names: readonly string[]): string {
  const more = names.length - namedMax;
  return more > 0 ? `and ${more} more ${what === "address" ? "addresses" : "ports"}` : "";
}

function holderName(holder: CallerHolder): string {
  if (holder.kind === "workload") return holder.isMeshed ? "workload" : "unmeshed-workload";
  return holder.kind === "own" ? "own-host" : holder.kind;
}

function holderDetail(holder: CallerHolder): string {
  if (holder.kind === "configuration") return holder.why;
  if (holder.kind !== "several") return "";
  const more = holder.names.length - namedMax;
  const names = holder.names.slice(0, namedMax).join(", ");
  return `it was the address of ${names}${more > 0 ? ` and ${more} more` : ""}`;
}

function silentMessage(silent: Silent): MessageInitShape<typeof SilentProxySchema> {
  const { name, reason, ports, sinceMs, untilMs, connections, isWaived } = silent;
  const where = ports.length === 0 ? "" : `port ${ports.slice(0, namedMax).join(", ")}: `;
  return {
    name,
    reason,
    detail: `${where}${silentWords[reason]}`,
    since: timestampFromMs(sinceMs),
    ...(untilMs !== undefined && { until: timestampFromMs(untilMs) }),
    lost: BigInt(connections),
    waived: isWaived,
  };
}

function portMessage({
  name,
  port,
  decision,
}: TargetPort): MessageInitShape<typeof MtlsTargetPortSchema> {
  const { mode, because } = decision;
  return {
    workload: name,
    port,
    mode,
    ...(because.ref && { because: nameMessage(because.ref) }),
    rule: because.rule,
  };
}
