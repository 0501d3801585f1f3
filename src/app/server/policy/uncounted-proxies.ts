/**
 * What a stream has told of proxies, and what does not count: a node agent has not shown their token yet, or there was no room. They are
 * there, and nothing more is known of them: nobody takes them for gone, and their agent has not told all.
 */

import type { ReportedPolicy } from "../../../core/policy/policy-report.ts";
import { MeshMessageError } from "../../../edge/rpc/mesh-fields.ts";
import type { MissedIdentities } from "./silent-owners.ts";

export interface UncountedProxy {
  readonly owner: string;
  readonly said: ReportedPolicy;
}

const unprovenMax = 4_096;
const identitiesMax = 4_096;

export class UncountedProxies {
  /** By `policyKey`. */
  readonly #unproven = new Map<string, UncountedProxy>();
  /** How many of each identity. */
  readonly #owners = new Map<string, number>();
  readonly #dropped = new Set<string>();

  /** In the place of the one of its name. @returns whether there was room */
  keep(name: string, proxy: UncountedProxy): boolean {
    this.delete(name);
    if (this.#unproven.size >= unprovenMax) return false;
    this.#unproven.set(name, proxy);
    this.#owners.set(proxy.owner, (this.#owners.get(proxy.owner) ?? 0) + 1);
    return true;
  }

  delete(name: string): void {
    const owner = this.#unproven.get(name)?.owner;
    if (owner === undefined) return;
    this.#unproven.delete(name);
    const left = (this.#owners.get(owner) ?? 1) - 1;
    if (left === 0) this.#owners.delete(owner);
    else this.#owners.set(owner, left);
  }

  /** @returns whether it is the first of its identity. @throws MeshMessageError `mesh-list-too-long` */
  drop(owner: string): boolean {
    if (this.#dropped.has(owner)) return false;
    if (this.#dropped.size >= identitiesMax) {
      const message = `expected at most ${identitiesMax} identities without room for their proxies`;
      throw new MeshMessageError("mesh-list-too-long", message);
    }
    this.#dropped.add(owner);
    return true;
  }

  unproven(): Iterable<[string, UncountedProxy]> {
    return this.#unproven;
  }

  /** Whether it may be there and not count. */
  mayBe(name: string, owner: string): boolean {
    return this.#unproven.has(name) || this.#dropped.has(owner);
  }

  /** Whether all counts that was told of an identity. */
  isWhole(owner: string): boolean {
    return !this.#owners.has(owner) && !this.#dropped.has(owner);
  }

  get missed(): MissedIdentities {
    return { unproven: this.#owners.keys(), dropped: this.#dropped };
  }
}
