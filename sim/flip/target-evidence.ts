/** Whether a target can go strict, as a simulated server judges it: it takes the steps of `judgement.ts`, and must be changed with them. */

import { lagMs } from "../../src/core/evidence/evidence-lag.ts";
import { AddressHistory } from "../../src/core/evidence/address-history.ts";
import type { BrokenCall } from "../../src/core/evidence/callers.ts";
import type { Absence } from "../../src/core/evidence/member.ts";
import { verdictOf, type Verdict } from "../../src/core/evidence/verdict.ts";
import type { FlipPorts } from "../../src/core/flip/flip.ts";
import { selectorOf, type FlipTarget } from "../../src/core/flip/target.ts";
import type { MeshView } from "../../src/core/policy/mesh-view.ts";
import { askedPorts, withoutCallersOnly } from "../../src/app/server/flips/asked-ports.ts";
import { isAskedOf } from "../../src/app/server/flips/asked-evidence.ts";
import type { StoredMember, StoredSeen } from "../../src/edge/evidence/evidence-question.ts";
import type { Disk } from "./disk.ts";
import { namespace } from "./mesh-objects.ts";
import type { ServerEvidence } from "./server-evidence.ts";
import type { ServerPolicy } from "./server-policy.ts";

export interface EvidenceOf {
  readonly disk: Pick<Disk, "waivers">;
  readonly evidence: ServerEvidence;
  readonly policy: ServerPolicy;
  /** By the objects. */
  readonly view: () => MeshView;
  readonly waived: () => ReadonlySet<string>;
  readonly nowMs: () => number;
}

export interface Judged {
  readonly target: FlipTarget;
  readonly ports: FlipPorts;
  readonly lookBackMs: number;
  readonly brokenCalls: readonly BrokenCall[];
  readonly isStrict: (workload: string) => boolean;
}

export class TargetEvidence {
  readonly #of: EvidenceOf;

  constructor(of: EvidenceOf) {
    this.#of = of;
  }

  /** @returns undefined where nobody is left of whom to ask */
  judge({ target, ports, lookBackMs, brokenCalls, isStrict }: Judged): Verdict | undefined {
    const { evidence, waived, nowMs: now, view } = this.#of;
    const nowMs = now();
    const sinceMs = nowMs - lookBackMs;
    const asked = askedPorts(view(), target, ports);
    const taken = this.members(target, sinceMs).filter(({ labels }) => asked.isMember(labels));
    const all = withoutCallersOnly(view(), target, taken);
    const members = all.filter(({ name }) => !isStrict(name));
    if (members.length === 0) return undefined;
    const keys = members.map(({ key }) => key);
    const isAsked = isAskedOf(members, asked);
    const question = { kind: "seen", members: keys, ports: undefined, sinceMs } as const;
    const seen = evidence
      .ask({ ...question, isRefusedOnly: false })
      .filter(({ member, port }) => isAsked(member, port));
    const spans = evidence
      .ask({ kind: "spans", members: keys, sinceMs })
      .filter(({ member, port }) => isAsked(member, port));
    const history = this.historyOf(seen, sinceMs);
    return verdictOf({
      target: target.text,
      nowMs,
      lookBackMs,
      ports: ports.ports.length === 0 ? undefined : ports.ports,
      members: members.map((each) => {
        const ports = each.ports?.filter((port) => asked.isAsked(each.labels, port));
        return { ...each, ports, absence: this.#absenceOf(each) };
      }),
      firstBornMs: Math.min(...all.map(({ bornMs }) => bornMs)),
      seen,
      spans,
      holderOf: (...of) => history.holderOf(...of),
      waived: waived(),
      brokenCalls,
      lagMs,
    });
  }

  /** All that are not strict are gone. */
  isNobodyLeft({ target, lookBackMs, isStrict }: Judged): boolean {
    const all = this.members(target, this.#of.nowMs() - lookBackMs);
    return all.every(({ name, goneMs }) => goneMs !== undefined || isStrict(name));
  }

  /** Those that the evidence has, and those that may be there and were never heard. */
  members(target: FlipTarget, sinceMs: number): readonly StoredMember[] {
    const { evidence, policy, view } = this.#of;
    const selector = selectorOf(target);
    const stored = evidence.ask({ kind: "members", namespace, selector, sinceMs });
    const open = new Set(stored.flatMap(({ goneMs, name }) => (goneMs === undefined ? name : [])));
    const selected = view().selected(namespace, selector);
    const unheard = selected.flatMap(({ workloads }) =>
      workloads.flatMap(({ ref, labels }): StoredMember[] => {
        const identity = policy.expected.get(ref.name);
        const name = `${namespace}/${ref.name}`;
        if (identity === undefined || open.has(name)) return [];
        const rest = { spiffeId: "", labels, bornMs: evidence.createdMs, goneMs: undefined };
        return [{ key: `unheard ${name}`, name, proxy: identity.key, ...rest }];
      }),
    );
    return [...stored, ...unheard].map((each) => ({ ...each, ports: this.#portsOf(each) }));
  }

  historyOf(rows: readonly StoredSeen[], sinceMs: number): AddressHistory {
    const addresses = rows.flatMap(({ source }) =>
      source.kind === "address" ? source.address : [],
    );
    const asked = { kind: "holders", addresses: [...new Set(addresses)], sinceMs } as const;
    return new AddressHistory(addresses.length === 0 ? [] : this.#of.evidence.ask(asked));
  }

  #absenceOf({ name }: StoredMember): Absence | undefined {
    const told = this.#of.policy.told.get(name.slice(namespace.length + 1));
    if (told === undefined) return "unheard";
    return told.isConnected ? undefined : "away";
  }

  #portsOf({ proxy, goneMs }: StoredMember): readonly number[] | undefined {
    if (goneMs !== undefined) return undefined;
    return this.#of.policy.index.desired(proxy)?.inbound.map(({ port }) => port);
  }
}
