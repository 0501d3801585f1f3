/** The streams of one proxy: what each has acknowledged, and what all of them say together. */

import type { LocalPolicy, OldConnections } from "../../../core/policy/policy-report.ts";
import { reportableLabels } from "../../../edge/rpc/policy-labels.ts";
import type { PolicyUser } from "./policy-feed.ts";

export interface PolicyUse {
  readonly user: PolicyUser;
  acked: string | undefined;
  /** It may do what an earlier stream has brought: it has answered nothing on this one. */
  isUnsure: boolean;
  draining: ReadonlyMap<number, number>;
  old: OldConnections;
}

export class PolicyUses {
  readonly #all = new Set<PolicyUse>();

  get areNone(): boolean {
    return this.#all.size === 0;
  }

  /** Those whose answers count may do more than they have said. */
  get areUnsure(): boolean {
    return this.deciding().some(({ isUnsure }) => isUnsure);
  }

  /** @param isUnsure until its first answer */
  add(user: PolicyUser, isUnsure: boolean): PolicyUse {
    const use: PolicyUse = {
      user,
      acked: undefined,
      isUnsure,
      draining: new Map(),
      old: "unobserved",
    };
    this.#all.add(use);
    return use;
  }

  has(use: PolicyUse): boolean {
    return this.#all.has(use);
  }

  /** @returns whether it was there */
  remove(use: PolicyUse): boolean {
    return this.#all.delete(use);
  }

  /** @returns whether that is another count */
  drain(use: PolicyUse, ports: ReadonlyMap<number, number>, old: OldConnections): boolean {
    if (!this.#all.has(use) || (use.old === old && isSame(use.draining, ports))) return false;
    use.draining = new Map(ports);
    use.old = old;
    return true;
  }

  /** Those of now, whatever comes and goes meanwhile. */
  all(): PolicyUse[] {
    return [...this.#all];
  }

  /** An acknowledgement of it from before counts no more. */
  unack(digest: string): void {
    for (const use of this.#all) if (use.acked === digest) use.acked = undefined;
  }

  /** Whose answers count: of those whose listeners are ours, or of whoever asks if there are none. */
  deciding(): PolicyUse[] {
    const listening = this.all().filter(({ user }) => user.hasListeners);
    return listening.length > 0 ? listening : this.all();
  }

  report(): Pick<
    LocalPolicy,
    "labels" | "hasListeners" | "isUnsure" | "draining" | "oldConnections"
  > {
    const uses = this.all();
    return {
      labels: reportableLabels(uses.at(-1)?.user.labels ?? new Map()),
      hasListeners: uses.some(({ user }) => user.hasListeners),
      isUnsure: this.areUnsure,
      draining: sumOf(uses.map(({ draining }) => draining)),
      oldConnections: worstOf(this.deciding().map(({ old }) => old)),
    };
  }
}

function worstOf(all: readonly OldConnections[]): OldConnections {
  if (all.length === 0 || all.includes("unobserved")) return "unobserved";
  return all.includes("unproven") ? "unproven" : "gone";
}

function sumOf(all: readonly ReadonlyMap<number, number>[]): Map<number, number> {
  const sum = new Map<number, number>();
  for (const [port, count] of all.flatMap((each) => [...each])) {
    if (count > 0) sum.set(port, (sum.get(port) ?? 0) + count);
  }
  return sum;
}

function isSame(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): boolean {
  return a.size === b.size && [...a].every(([port, count]) => b.get(port) === count);
}
