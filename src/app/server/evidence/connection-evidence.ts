/**
 * What is known of who called whom, for whoever decides by it. An answer is of what is durable; without one, nothing is known. Members that
 * may be there and were never heard are among the answers, with no evidence of theirs.
 */

import type { AddressSpan } from "../../../core/evidence/address-history.ts";
import type { MemberSpan } from "../../../core/evidence/member.ts";
import { selects } from "../../../core/policy/labels.ts";
import type { ProxyIdentity } from "../../../core/policy/proxy-identity.ts";
import type { Labels } from "../../../core/resources/resource.ts";
import type { WorkloadEntry } from "../../../core/resources/workload-entry.ts";
import type {
  PortSummary,
  StoredMember,
  StoredSeen,
} from "../../../edge/evidence/evidence-question.ts";
import type { EvidenceStore } from "../../../edge/evidence/evidence-store.ts";
import type { PolicyControl } from "../policy/policy-control.ts";
import { withoutForeign } from "./foreign-members.ts";

export interface ConnectionEvidenceDependencies {
  readonly store: Pick<EvidenceStore, "ask">;
  /** Nothing is known of before. */
  readonly createdMs: number;
  /** There was one before, which was set aside. */
  readonly isAnew?: boolean;
  readonly control: Pick<PolicyControl, "index" | "expected">;
  readonly entryOf: (namespace: string, name: string) => WorkloadEntry | undefined;
  readonly entriesIn: (namespace: string) => Iterable<WorkloadEntry>;
  readonly trustDomain: string;
}

/** Rejects with EvidenceStoreError where nothing is known. */
export class ConnectionEvidence {
  readonly #dependencies: ConnectionEvidenceDependencies;

  constructor(dependencies: ConnectionEvidenceDependencies) {
    this.#dependencies = dependencies;
  }

  /** Nothing is known of before, whoever was there. */
  get createdMs(): number {
    return this.#dependencies.createdMs;
  }

  /** When it was begun anew, because an older one was set aside. */
  get anewMs(): number | undefined {
    return this.#dependencies.isAnew === true ? this.#dependencies.createdMs : undefined;
  }

  /** Those that were there at any time since then, or may be there. @param selector an empty one selects all */
  async membersOf(
    namespace: string,
    selector: Labels,
    sinceMs: number,
  ): Promise<readonly StoredMember[]> {
    const { store } = this.#dependencies;
    const question = { kind: "members", namespace, selector, sinceMs } as const;
    const stored = await store.ask(question);
    const open = stored.filter(({ goneMs }) => goneMs === undefined);
    const there = new Set(open.map(({ name, spiffeId }) => `${name} ${spiffeId}`));
    const expected = this.#expected(namespace, selector).filter(
      ({ name, spiffeId }) => !there.has(`${name} ${spiffeId}`),
    );
    const all = [...stored, ...expected];
    const identities = (): readonly string[] => this.#selected(namespace, selector);
    const taken = selector.size === 0 ? all : withoutForeign(all, identities);
    return taken.map((each) => ({ ...each, ports: this.#portsOf(each) }));
  }

  /** Who was seen since then, summed up; what was accepted with mTLS is one row for each port. @param ports undefined: all */
  async seen(
    members: readonly string[],
    ports: readonly number[] | undefined,
    sinceMs: number,
  ): Promise<readonly StoredSeen[]> {
    const { store } = this.#dependencies;
    const asked = { members, ports, sinceMs, isRefusedOnly: false, isMtlsSummed: true } as const;
    return await store.ask({ kind: "seen", ...asked });
  }

  /** Of them those that were refused. */
  async refusedSince(
    members: readonly string[],
    ports: readonly number[] | undefined,
    sinceMs: number,
  ): Promise<readonly StoredSeen[]> {
    const { store } = this.#dependencies;
    const question = { kind: "seen", members, ports, sinceMs, isRefusedOnly: true } as const;
    return await store.ask(question);
  }

  async spans(members: readonly string[], sinceMs: number): Promise<readonly MemberSpan[]> {
    return await this.#dependencies.store.ask({ kind: "spans", members, sinceMs });
  }

  /** For `AddressHistory`. @param addresses canonical */
  async holders(addresses: readonly string[], sinceMs: number): Promise<readonly AddressSpan[]> {
    return await this.#dependencies.store.ask({ kind: "holders", addresses, sinceMs });
  }

  /** For each port of each proxy. @param namespace undefined: all */
  async summary(sinceMs: number, namespace?: string): Promise<readonly PortSummary[]> {
    return await this.#dependencies.store.ask({ kind: "summary", namespace, sinceMs });
  }

  /** SPIFFE IDs of the workloads that a WorkloadEntry names. */
  #selected(namespace: string, selector: Labels): readonly string[] {
    return Array.from(this.#dependencies.entriesIn(namespace)).flatMap(
      ({ serviceAccount, labels }) =>
        selects(selector, labels) ? [this.#idOf(namespace, serviceAccount)] : [],
    );
  }

  #idOf(namespace: string, serviceAccount: string): string {
    return `spiffe://${this.#dependencies.trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
  }

  #expected(namespace: string, selector: Labels): readonly StoredMember[] {
    const { control, entryOf } = this.#dependencies;
    return [...control.expected.values()].flatMap((identity) => {
      if (identity.namespace !== namespace) return [];
      const entry = entryOf(namespace, identity.nodeId);
      return entry !== undefined && selects(selector, entry.labels)
        ? [this.#unheard(identity, entry.labels)]
        : [];
    });
  }

  #unheard(
    { key, namespace, serviceAccount, nodeId }: ProxyIdentity,
    labels: Labels,
  ): StoredMember {
    const { createdMs: bornMs } = this.#dependencies;
    const spiffeId = this.#idOf(namespace, serviceAccount);
    const name = `${namespace}/${nodeId}`;
    return { key: `unheard ${key}`, proxy: key, spiffeId, name, labels, bornMs, goneMs: undefined };
  }

  /** What its Envoy is to listen on; undefined for one that is gone, or that policy has not heard of. */
  #portsOf({ proxy, goneMs }: StoredMember): readonly number[] | undefined {
    if (goneMs !== undefined) return undefined;
    return this.#dependencies.control.index.desired(proxy)?.inbound.map(({ port }) => port);
  }
}
