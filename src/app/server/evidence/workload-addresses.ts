/**
 * Who holds which address, for `evidence.db`: WorkloadEntries, and whether there is a proxy of the mesh behind each. What changed while the
 * server was away is not known: who held an address before and holds it now has held it meanwhile, and nobody else has.
 */

import type { AddressSpan } from "../../../core/evidence/address-history.ts";
import { canonicalIp } from "../../../core/evidence/ip-address.ts";
import type { WorkloadEntry } from "../../../core/resources/workload-entry.ts";
import { nameKey, type ResourceName } from "../../../core/resources/resource.ts";
import type { AddressChange } from "../../../edge/evidence/evidence-change.ts";

export interface WorkloadAddressesDependencies {
  readonly trustDomain: string;
  readonly note: (change: AddressChange) => void;
  readonly entryOf: (namespace: string, name: string) => WorkloadEntry | undefined;
  /** Whether a workload has a proxy with this identity. */
  readonly isThere: (namespace: string, name: string, spiffeId: string) => boolean;
  readonly nowMs: () => number;
}

type Held = Pick<AddressSpan, "address" | "isMeshed">;

export class WorkloadAddresses {
  readonly #dependencies: WorkloadAddressesDependencies;
  /** By workload. */
  readonly #held = new Map<string, Held>();

  /**
   * @param left that were held when the server was last at work
   * @param knownMs when that was
   */
  constructor(
    dependencies: WorkloadAddressesDependencies,
    left: readonly AddressSpan[],
    knownMs: number,
  ) {
    this.#dependencies = dependencies;
    for (const { name, address, isMeshed } of left) {
      const [namespace = "", ...rest] = name.split("/");
      const now = this.#holds({ namespace, name: rest.join("/") });
      if (now?.address === address && now.isMeshed === isMeshed) this.#held.set(name, now);
      else dependencies.note({ kind: "left", address, workload: name, isMeshed, atMs: knownMs });
    }
  }

  /** Its entry, or whether it has a proxy, may be another. */
  changed(name: ResourceName): void {
    const { note, nowMs } = this.#dependencies;
    const workload = nameKey(name);
    const before = this.#held.get(workload);
    const now = this.#holds(name);
    if (before?.address === now?.address && before?.isMeshed === now?.isMeshed) return;
    const atMs = nowMs();
    if (before !== undefined) note({ kind: "left", workload, ...before, atMs });
    if (now !== undefined) note({ kind: "held", workload, ...now, atMs });
    if (now === undefined) this.#held.delete(workload);
    else this.#held.set(workload, now);
  }

  #holds({ namespace, name }: ResourceName): Held | undefined {
    const { trustDomain, entryOf, isThere } = this.#dependencies;
    const entry = entryOf(namespace, name);
    const address = entry && canonicalIp(entry.address);
    if (entry === undefined || address === undefined) return undefined;
    const id = `spiffe://${trustDomain}/ns/${namespace}/sa/${entry.serviceAccount}`;
    return { address, isMeshed: isThere(namespace, name, id) };
  }
}
