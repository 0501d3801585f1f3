/** How far STRICT, or the way back, is at the workloads of a flip: by what their proxies have acknowledged. */

import { compareText } from "../../../core/compare-text.ts";
import type { MemberStage, MemberState } from "../../../core/flip/flip-view.ts";
import { membersOf, selectorOf, type FlipTarget } from "../../../core/flip/target.ts";
import { selects } from "../../../core/policy/labels.ts";
import type { ProxyIdentity } from "../../../core/policy/proxy-identity.ts";
import { nameKey, type Labels } from "../../../core/resources/resource.ts";
import type { PolicyControl } from "../policy/policy-control.ts";
import type { AskedPorts } from "./asked-ports.ts";
import type { FlipConfiguration } from "./flip-configuration.ts";
import { proxyProgress, silent, type ProxyProgress } from "./proxy-progress.ts";

export interface WorkloadProgress extends MemberState {
  /** All of its proxies have acknowledged that they take plaintext. */
  readonly isBack: boolean;
}

/** A member by the evidence, that is not proven gone. */
export interface EvidencedMember {
  /** Key of its proxy, as policy knows it. */
  readonly proxy: string;
  readonly name: string;
  readonly labels: Labels;
  readonly untilMs: number | undefined;
}

export interface ProgressDependencies {
  readonly control: Pick<PolicyControl, "index" | "rollout" | "proxies" | "expected">;
  readonly configuration: FlipConfiguration;
}

export interface ProgressOf {
  readonly target: FlipTarget;
  readonly asked: AskedPorts;
  readonly evidenced: readonly EvidencedMember[];
  /** Names of callers and proxies. */
  readonly waived: ReadonlySet<string>;
}

/** All of the target, by name: by the configuration, by policy, and by the evidence. */
export function workloadProgress(
  dependencies: ProgressDependencies,
  { target, asked, evidenced, waived }: ProgressOf,
): readonly WorkloadProgress[] {
  const byName = proxiesOf(dependencies, target, asked);
  const known = new Set([...byName.values()].flatMap((all) => all.map(({ key }) => key)));
  const until = new Map(evidenced.map(({ proxy, untilMs }) => [proxy, untilMs]));
  for (const { proxy, name, labels } of evidenced) {
    if (!known.has(proxy) && asked.isMember(labels)) add(byName, name, silent(proxy));
  }
  const view = dependencies.configuration.viewOf(target.namespace);
  for (const { name } of membersOf(view, target).members) add(byName, name);
  const all = Array.from(byName, ([name, proxies]): WorkloadProgress => {
    const worst = proxies.toSorted((a, b) => rank(a) - rank(b))[0];
    const told = proxies
      .filter(({ stage }) => stage !== "no-proxy")
      .map(({ key }) => until.get(key) ?? 0);
    const evidenceUntilMs = told.length === 0 ? 0 : Math.min(...told);
    return {
      name,
      stage: worst?.stage ?? "no-proxy",
      isConnected: proxies.length > 0 && proxies.every(({ isConnected }) => isConnected),
      draining: proxies.reduce((sum, each) => sum + each.draining, 0),
      isBack: proxies.every(({ isBack }) => isBack),
      evidenceUntilMs: evidenceUntilMs === 0 ? undefined : evidenceUntilMs,
      isWaived: waived.has(`proxy/${name}`),
    };
  });
  return all.toSorted((a, b) => compareText(a.name, b.name));
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

function rank({ stage }: ProxyProgress): number {
  return ranks.indexOf(stage);
}

function proxiesOf(
  dependencies: ProgressDependencies,
  target: FlipTarget,
  asked: AskedPorts,
): Map<string, ProxyProgress[]> {
  const { control, configuration } = dependencies;
  const selector = selectorOf(target);
  const byName = new Map<string, ProxyProgress[]>();
  const isOf = ({ namespace, nodeId, key, claimedLabels }: ProxyIdentity): Labels | undefined => {
    if (namespace !== target.namespace) return undefined;
    const isEntry = control.index.workloadOf(key) !== undefined;
    const labels = isEntry ? configuration.entryOf(namespace, nodeId)?.labels : claimedLabels;
    const isMember = labels !== undefined && selects(selector, labels) && asked.isMember(labels);
    return isMember ? labels : undefined;
  };
  for (const proxy of control.proxies.all()) {
    const labels = isOf(proxy.identity);
    if (labels === undefined) continue;
    const isAsked = (port: number): boolean => asked.isAsked(labels, port);
    add(byName, nameOf(proxy.identity), proxyProgress(control, proxy, isAsked));
  }
  for (const identity of control.expected.values()) {
    if (isOf(identity) !== undefined) add(byName, nameOf(identity), silent(identity.key));
  }
  return byName;
}

function nameOf({ namespace, nodeId: name }: ProxyIdentity): string {
  return nameKey({ namespace, name });
}

/** What is there stays: without a proxy only the name is added. */
function add(
  byName: Map<string, ProxyProgress[]>,
  name: string,
  ...proxies: readonly ProxyProgress[]
): void {
  const there = byName.get(name);
  if (there === undefined) byName.set(name, [...proxies]);
  else there.push(...proxies);
}
