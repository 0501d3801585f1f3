/**
 * What a stream has told of proxies, and what does not count: a node agent has not shown their token yet, or there was no room. They are
 * there, and nothing more is known of them: nobody takes them for gone, and their agent has not told all. Policies that there is no room for
 * are not known when the token comes, either: their agent tells them again, at the latest on its next stream.
 */

import type { ReportedPolicy } from "../../../core/policy/policy-report.ts";
import { MeshMessageError } from "../../../edge/rpc/mesh-fields.ts";
import { octetsIn, withoutOctets } from "./policy-proxy.ts";
import type { MissedIdentities } from "./silent-owners.ts";

export interface UncountedProxy {
  readonly owner: string;
  readonly said: ReportedPolicy;
}

const unprovenMax = 4_096;
const octetsMax = 4 * 1_048_576;
const identitiesMax = 4_096;

export class UncountedProxies {
  /** By `policyKey`. */
  readonly #unproven = new Map<string, UncountedProxy>();
  /** How many of each identity. */
  readonly #owners = new Map<string, number>();
  readonly #dropped = new Set<string>();
  /** Of the policies of all. */
  #octets = 0;

  /** In the place of the one of its name. @returns whether there was room */
  keep(name: string, proxy: UncountedProxy): boolean {
    this.delete(name);
    if (this.#unproven.size >= unprovenMax) return false;
    const octets = octetsIn(proxy.said);
    const fits = this.#octets + octets <= octetsMax;
    const said = fits ? withOwnOctets(proxy.said) : withoutOctets(proxy.said);
    this.#unproven.set(name, { ...proxy, said });
    this.#octets += fits ? octets : 0;
    this.#owners.set(proxy.owner, (this.#owners.get(proxy.owner) ?? 0) + 1);
    return true;
  }

  delete(name: string): void {
    const proxy = this.#unproven.get(name);
    if (proxy === undefined) return;
    const { owner, said } = proxy;
    this.#unproven.delete(name);
    this.#octets -= octetsIn(said);
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

/** Those of a message would keep all of it. */
function withOwnOctets(said: ReportedPolicy): ReportedPolicy {
  const { applied, nack } = said;
  return { ...said, applied: applied && ownOctets(applied), nack: nack && ownOctets(nack) };
}

function ownOctets<T extends { readonly octets: Uint8Array | undefined }>(said: T): T {
  return said.octets === undefined ? said : { ...said, octets: Uint8Array.from(said.octets) };
}
