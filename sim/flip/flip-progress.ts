/** How far STRICT is at a flip's workloads: it takes the steps of `workload-progress.ts`, and must be changed with them. */

import type { Flip } from "../../src/core/flip/flip.ts";
import type { MemberState } from "../../src/core/flip/flip-view.ts";
import { membersOf } from "../../src/core/flip/target.ts";
import { askedOf, toldSpan, type ToldSpan } from "../../src/core/flip/told-span.ts";
import { askedPorts } from "../../src/app/server/flips/asked-ports.ts";
import type { StoredMember } from "../../src/edge/evidence/evidence-question.ts";
import { namespace } from "./mesh-objects.ts";
import type { ToldProxy } from "./server-policy.ts";
import type { EvidenceOf } from "./target-evidence.ts";

/** A member that is not proven gone. */
export interface EvidencedMember extends Pick<StoredMember, "name" | "labels">, ToldSpan {}

/** @throws EvidenceStoreError */
export function evidencedMembers(
  flip: Flip,
  { evidence, view, nowMs }: EvidenceOf,
  members: readonly StoredMember[],
): readonly EvidencedMember[] {
  const asked = askedPorts(view(), flip.target, flip);
  const there = members.filter(
    ({ goneMs, labels }) => goneMs === undefined && asked.isMember(labels),
  );
  const keys = there.map(({ key }) => key);
  const spans = evidence.ask({ kind: "spans", members: keys, sinceMs: 0 });
  const wanted = askedOf(flip, nowMs());
  return there.map(({ key, name, labels, bornMs, ports: all }) => {
    const own = spans.filter(({ member, port }) => member === key && asked.isAsked(labels, port));
    const ports = all?.filter((port) => asked.isAsked(labels, port));
    return { name, labels, ...toldSpan({ bornMs, ports }, own, wanted(name)) };
  });
}

export function workloadsOf(
  flip: Flip,
  { policy, view, waived }: EvidenceOf,
  members: readonly EvidencedMember[],
): readonly MemberState[] {
  const asked = askedPorts(view(), flip.target, flip);
  const there = members.filter(({ labels }) => asked.isMember(labels));
  const configured = membersOf(view(), flip.target).members.map(({ name }) => name);
  const names = new Set([...configured, ...there.map(({ name }) => name)]);
  return Array.from(names, (name): MemberState => {
    const own = there.filter((each) => each.name === name);
    const workload = name.slice(namespace.length + 1);
    const told = policy.told.get(workload);
    const isWaived = waived().has(`proxy/${name}`);
    const leastMs = own.length === 0 ? 0 : Math.min(...own.map(({ untilMs = 0 }) => untilMs));
    const evidenceUntilMs = leastMs === 0 ? undefined : leastMs;
    const hasGap = own.some((each) => each.hasGap);
    const lost = own.reduce((sum, each) => sum + each.lost, 0);
    const labels = own[0]?.labels ?? told?.identity.claimedLabels ?? new Map();
    const isAsked = (port: number): boolean => asked.isAsked(labels, port);
    if (told === undefined) {
      const isProxy = own.length > 0 || policy.expected.has(workload);
      const stage = isProxy ? "silent" : "no-proxy";
      return {
        name,
        stage,
        isConnected: false,
        draining: 0,
        evidenceUntilMs,
        hasGap,
        lost,
        isWaived,
      };
    }
    const { said, isConnected } = told;
    const open = Array.from(said.draining, ([port, count]) => (isAsked(port) ? count : 0));
    const draining = open.reduce((sum, each) => sum + each, 0);
    const stage = stageOf(policy, told, isAsked);
    return { name, stage, isConnected, draining, evidenceUntilMs, hasGap, lost, isWaived };
  });
}

function stageOf(
  { index, rollout }: EvidenceOf["policy"],
  { identity: { key }, said, isConnected }: ToldProxy,
  isAsked: (port: number) => boolean,
): MemberState["stage"] {
  const wanted = index.desired(key)?.inbound.filter(({ port }) => isAsked(port));
  if (wanted?.length === 0) return "no-proxy";
  if (!isConnected) return "silent";
  const { applied } = said.report;
  const has = new Map(
    typeof applied === "object" ? applied.inbound.map(({ port, mode }) => [port, mode]) : [],
  );
  const isStrict =
    wanted?.every(({ port, mode }) => mode !== "strict" || has.get(port) === "strict") === true;
  if (!isStrict) return rollout.stage(key) === "refused" ? "refused" : "pushed";
  return said.oldConnections === "gone" ? "in-force" : "draining";
}
