/**
 * Objects that are to be permissive until a date, and who answers for each. A date that has come is said each day, and in a metric; it
 * changes nothing.
 */

import { isOverdue, isPaid, readDebt, type PermissiveDebt } from "../../../core/flip/debt.ts";
import { isJsonObject } from "../../../core/identity/json-object.ts";
import { refKey } from "../../../core/resources/policy-object.ts";
import type { PeerAuthentication } from "../../../core/resources/peer-authentication.ts";
import type { FlipEvents } from "../../../edge/telemetry/flip-events.ts";
import type { ResourceRef } from "../../../core/resources/resource.ts";
import type { ResourceSet } from "../policy/resources/resource-set.ts";
import type { StoredObject } from "../policy/resources/stored-object.ts";

export interface PermissiveDebtsDependencies {
  readonly set: ResourceSet;
  readonly events: () => Pick<FlipEvents, "overdue">;
  readonly nowMs: () => number;
}

interface Debt extends PermissiveDebt {
  readonly policy: PeerAuthentication;
}

const lookMs = 60_000;
const againMs = 86_400_000;

export class PermissiveDebts implements Disposable {
  readonly #dependencies: PermissiveDebtsDependencies;
  readonly #debts = new Map<string, Debt>();
  readonly #following: Disposable;
  readonly #timer: NodeJS.Timeout;
  /** When it was said last, by object. */
  readonly #said = new Map<string, number>();

  constructor(dependencies: PermissiveDebtsDependencies) {
    this.#dependencies = dependencies;
    const { set } = dependencies;
    for (const each of set.objects()) this.#read(each);
    this.#following = set.onChange(({ set: changed, deleted }) => {
      for (const ref of [...changed.map(({ object }) => object.ref), ...deleted]) {
        this.#debts.delete(refKey(ref));
        const found = set.find(refKey(ref));
        if (found !== undefined) this.#read(found);
      }
    });
    this.#timer = setInterval(() => this.look(), lookMs).unref();
  }

  /** What it owes; undefined also of one that lets no plaintext in any more. */
  of(ref: ResourceRef): PermissiveDebt | undefined {
    const debt = this.#debts.get(refKey(ref));
    return debt === undefined || isPaid(debt.policy) ? undefined : debt;
  }

  get overdue(): readonly ResourceRef[] {
    return this.#overdue().map(({ policy }) => policy.ref);
  }

  /** Says those that were not said for a day. */
  look(): void {
    const { events, nowMs } = this.#dependencies;
    const now = nowMs();
    const overdue = this.#overdue();
    const keys = new Set(overdue.map(({ policy }) => refKey(policy.ref)));
    for (const key of this.#said.keys()) if (!keys.has(key)) this.#said.delete(key);
    for (const { policy, until, owner } of overdue) {
      const key = refKey(policy.ref);
      if (Math.abs(now - (this.#said.get(key) ?? -Infinity)) < againMs) continue;
      this.#said.set(key, now);
      events().overdue(policy.ref, until, owner);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#following[Symbol.dispose]();
  }

  #overdue(): readonly Debt[] {
    const now = this.#dependencies.nowMs();
    return [...this.#debts.values()].filter((debt) => isOverdue(debt, now) && !isPaid(debt.policy));
  }

  #read({ object, json }: StoredObject): void {
    if (object.kind !== "PeerAuthentication") return;
    const manifest: unknown = JSON.parse(json);
    const debt = isJsonObject(manifest) ? readDebt(manifest) : undefined;
    if (debt !== undefined)
      this.#debts.set(refKey(object.object.ref), { ...debt, policy: object.object });
  }
}
