/** How far STRICT, or the way back, is at the workloads of a flip: by what their proxies have acknowledged. */

import { compareText } from "../../../core/compare-text.ts";
import type { MemberStage, MemberState } from "../../../core/flip/flip-view.ts";
import type { ToldSpan } from "../../../core/flip/told-span.ts";
import { selectorOf } from "../../../core/flip/target.ts";
import { selects } from "../../../core/policy/labels.ts";
import type { ProxyIdentity } from "../../../core/policy/proxy-identity.ts";
import { nameKey, type Labels } from "../../../core/resources/resource.ts";
import type { PolicyControl } from "../policy/policy-control.ts";
import { absenceBy, unheardOf } from "./proxy-absence.ts";
import { plaintextAmong, proxyProgress, silent, type ProxyProgress } from "./proxy-progress.ts";
import type { TargetFacts } from "./target-facts.ts";

export interface WorkloadProgress extends MemberState {
  /** All of its proxies have acknowledged that they take plaintext. */
  readonly isBack: boolean;
  /** By what its proxies have acknowledged last: one takes it, or all refuse it; undefined: nobody knows. */
  readonly plaintext: ProxyProgress["plaintext"];
}

/** A member by the evidence, that is not proven gone. */
export interface EvidencedMember extends ToldSpan {
  /** Key of its proxy, as policy knows it. */
  readonly proxy: string;
  readonly name: string;
  readonly labels: Labels;
}

export interface ProgressOf {
  readonly facts: TargetFacts;
  readonly evidenced: readonly EvidencedMember[];
  /** Names of callers and proxies. */
  readonly waived: ReadonlySet<string>;
}

/** All of the target, by name: by the configuration, by policy, and by the evidence. */
export function workloadProgress(
  control: ProgressControl,
  { facts, evidenced, waived }: ProgressOf,
): readonly WorkloadProgress[] {
  // By name already; who has no entry comes after them.
  const byName = new Map<string, readonly ProxyProgress[]>();
  for (const name of facts.workloads) byName.set(name, none);
  const known = new Set<string>();
  for (const [name, proxy] of proxiesOf(control, facts)) {
    known.add(proxy.key);
    add(byName, name, proxy);
  }
  const absentOf = absenceBy(control);
  const told = new Map(evidenced.map((each) => [each.proxy, each]));
  for (const { proxy, name, labels } of evidenced) {
    if (known.has(proxy) || !facts.asked.isMember(labels)) continue;
    // With its pod, the labels have gone by which policy knew it.
    add(byName, name, silent(proxy, absentOf(proxy) ?? { absence: "away" }));
  }
  const all = Array.from(byName, ([name, proxies]) => ({
    ...progressOf(proxies, told),
    name,
    isWaived: waived.has(`proxy/${name}`),
  }));
  const isSorted = all.length === facts.workloads.length;
  return isSorted ? all : all.toSorted((a, b) => compareText(a.name, b.name));
}

export type ProgressControl = Pick<
  PolicyControl,
  "index" | "rollout" | "proxies" | "expected" | "gonePods"
>;

function progressOf(
  proxies: readonly ProxyProgress[],
  told: ReadonlyMap<string, ToldSpan>,
): Omit<WorkloadProgress, "name" | "isWaived"> {
  let stage: MemberStage = "no-proxy";
  let draining = 0;
  let toldMs = Infinity;
  let hasGap = false;
  let lost = 0;
  for (const proxy of proxies) {
    if (ranks.indexOf(proxy.stage) < ranks.indexOf(stage)) stage = proxy.stage;
    draining += proxy.draining;
    if (proxy.stage === "no-proxy") continue;
    const its = told.get(proxy.key);
    toldMs = Math.min(toldMs, its?.untilMs ?? 0);
    hasGap ||= its?.hasGap ?? false;
    lost += its?.lost ?? 0;
  }
  return {
    stage,
    draining,
    isConnected: proxies.length > 0 && proxies.every(({ isConnected }) => isConnected),
    isBack: proxies.every(({ isBack }) => isBack),
    plaintext: plaintextAmong(proxies),
    ...proxies.find((each) => each.stage === "silent")?.absent,
    hasTwin: proxies.some((each) => each.isConnected),
    evidenceUntilMs: toldMs === 0 || toldMs === Infinity ? undefined : toldMs,
    hasGap,
    lost,
  };
}

/** From the one that is least far. One whose silence is waived hides nobody. */
const ranks: readonly MemberStage[] = [
  "refused",
  "pushed",
  "draining",
  "silent",
  "in-force",
  "no-proxy",
];

const none: readonly ProxyProgress[] = [];

/** With the names of their workloads. */
function* proxiesOf(
  control: ProgressControl,
  { target, labels, asked }: TargetFacts,
): Generator<readonly [name: string, proxy: ProxyProgress]> {
  const selector = selectorOf(target);
  /** Undefined for one that is not of the target. */
  const labelsOf = ({ key, claimedLabels }: ProxyIdentity, name: string): Labels | undefined => {
    if (control.index.workloadOf(key) !== undefined) return labels.get(name);
    const isMember = selects(selector, claimedLabels) && asked.isMember(claimedLabels);
    return isMember ? claimedLabels : undefined;
  };
  for (const proxy of control.proxies.all()) {
    const { identity } = proxy;
    if (identity.namespace !== target.namespace) continue;
    const name = nameOf(identity);
    const own = labelsOf(identity, name);
    if (own === undefined) continue;
    yield [name, proxyProgress(control, proxy, (port) => asked.isAsked(own, port))];
  }
  for (const identity of control.expected.values()) {
    if (identity.namespace !== target.namespace) continue;
    const name = nameOf(identity);
    if (labelsOf(identity, name) === undefined) continue;
    yield [name, silent(identity.key, unheardOf(control, identity.key))];
  }
}

function nameOf({ namespace, nodeId: name }: ProxyIdentity): string {
  return nameKey({ namespace, name });
}

function add(
  byName: Map<string, readonly ProxyProgress[]>,
  name: string,
  proxy: ProxyProgress,
): void {
  const there = byName.get(name);
  byName.set(name, there === undefined || there === none ? [proxy] : [...there, proxy]);
}
