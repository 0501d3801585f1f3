/** A node's agent that tells of its pods, and the verdicts on what a server keeps of that: without threads and streams. */

import type { Verdict } from "../../src/core/evidence/verdict.ts";
import { verdictOf } from "../../src/core/evidence/verdict.ts";
import { PolicyIndex } from "../../src/core/policy/policy-index.ts";
import type { WorkloadEntry } from "../../src/core/resources/workload-entry.ts";
import { EvidenceMembers } from "../../src/app/server/evidence/evidence-members.ts";
import { ConnectionEvidence } from "../../src/app/server/evidence/connection-evidence.ts";
import {
  identityOf,
  proxyKeyOf,
  type PolicyProxy,
} from "../../src/app/server/policy/policy-proxy.ts";
import type { ReportedProxy } from "../../src/edge/evidence/evidence-change.ts";
import type { OpenMember } from "../../src/edge/evidence/evidence-protocol.ts";
import { coverageOf, EvidenceScene, memberOf, reportOf, seenOf } from "../support/evidence.ts";

export const MINUTE_MS = 60_000;
const trustDomain = "mesh.test";
export const node = { spiffeId: `spiffe://${trustDomain}/ns/shop/sa/node`, agentId: "n" };

export function idOf(account: string): string {
  return `spiffe://${trustDomain}/ns/shop/sa/${account}`;
}

export class NodeReports implements Disposable {
  readonly scene: EvidenceScene;
  readonly members: EvidenceMembers;
  readonly entries: WorkloadEntry[] = [];
  nowMs: number;
  readonly #sinceMs: number;
  #sequence = 0;

  /** @param sinceMs when the file began @param left by the last life of the server: names of pods of the account `api` */
  constructor(sinceMs: number, nowMs: number, left: readonly string[] = []) {
    this.#sinceMs = sinceMs;
    this.nowMs = nowMs;
    this.scene = new EvidenceScene(sinceMs);
    const open = left.map((name) => this.#left(name));
    const entryOf = (namespace: string, name: string): WorkloadEntry | undefined =>
      this.entries.find(({ ref }) => ref.namespace === namespace && ref.name === name);
    const note: ConstructorParameters<typeof EvidenceMembers>[0]["note"] = (change) =>
      this.scene.write(change);
    const rest = { entryOf, onPresence: () => {}, nowMs: () => this.nowMs };
    this.members = new EvidenceMembers({ note, ...rest }, open);
  }

  /** @returns whether there was room. @param span ends of what it covers, in minutes of the scene's beginning; and calls without mTLS */
  tell(
    account: string,
    name: string,
    [from, to]: readonly [number, number],
    calls: readonly number[] = [],
  ): boolean {
    const proxy = this.members.reported(node, idOf(account), name);
    if (proxy === undefined) return false;
    const at = (minutes: number): number => this.#sinceMs + minutes * MINUTE_MS;
    const told: ReportedProxy = {
      proxy,
      epochMs: at(from),
      seen: calls.map((minutes) => seenOf(at(minutes))),
      coverage: [coverageOf(at(from), at(to))],
    };
    this.#sequence++;
    const named = { reporter: "node", sequence: this.#sequence };
    this.scene.write({ ...reportOf({ ...told, ...named }), atMs: this.nowMs });
    this.members.kept([told]);
    return true;
  }

  /** Policy is told of it, with this label. */
  told(account: string, name: string, app: string): void {
    const spiffeId = idOf(account);
    const said = { proxyId: name, labels: new Map([["app", app]]) };
    const identity = identityOf(proxyKeyOf(node, spiffeId, name), spiffeId, said);
    this.members.added({ identity, spiffeId, reporter: node } as PolicyProxy);
  }

  /** Policy is told of all. */
  heard(): void {
    this.members.heard(node, { unproven: [], dropped: [] });
  }

  pass(minutes: number): void {
    this.nowMs += minutes * MINUTE_MS;
    this.members.look(() => false);
  }

  /** On a target of pods of this label, or of all; since the file began. */
  async verdict(app?: string): Promise<Verdict> {
    const evidence = new ConnectionEvidence({
      store: { ask: async (question) => this.scene.reader.answer(question) as never },
      createdMs: this.#sinceMs,
      control: { index: new PolicyIndex(trustDomain), expected: new Map() },
      entryOf: () => undefined,
      entriesIn: () => this.entries,
      trustDomain,
    });
    const sinceMs = this.#sinceMs;
    const selector = new Map(app === undefined ? [] : [["app", app]]);
    const members = await evidence.membersOf("shop", selector, sinceMs);
    const keys = members.map(({ key }) => key);
    return verdictOf({
      target: "shop",
      nowMs: this.nowMs,
      lookBackMs: this.nowMs - sinceMs,
      ports: [8080],
      members,
      seen: await evidence.seen(keys, undefined, sinceMs),
      spans: await evidence.spans(keys, sinceMs),
      holderOf: () => ({ kind: "unknown" }),
      waived: new Set(),
      brokenCalls: [],
      lagMs: 30_000,
    });
  }

  [Symbol.dispose](): void {
    this.scene[Symbol.dispose]();
  }

  /** Of the label `api`, and told before. */
  #left(name: string): OpenMember {
    const spiffeId = idOf("api");
    const proxy = proxyKeyOf(node, spiffeId, name);
    this.scene.write(
      memberOf(proxy, { name, spiffeId, labels: '[["app","api"]]', atMs: this.#sinceMs }),
    );
    const labels = new Map([["app", "api"]]);
    const rest = { bornMs: this.#sinceMs, goneMs: undefined, reporter: `${node.spiffeId} n` };
    return { key: "1", proxy, spiffeId, name: `shop/${name}`, labels, ...rest };
  }
}
