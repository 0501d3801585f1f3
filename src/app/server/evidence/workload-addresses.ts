/**
 * Who holds which address, for `evidence.db`: WorkloadEntries and pods, and whether there is a proxy of the mesh behind each. What changed
 * while the server was away is not known: who held an address before and holds it now has held it meanwhile, and nobody else has.
 */

import type { AddressSpan } from "../../../core/evidence/address-history.ts";
import { nameKey, type ResourceName } from "../../../core/resources/resource.ts";
import type { AddressChange } from "../../../edge/evidence/evidence-change.ts";
import type { WorkloadPlace } from "./workload-places.ts";

export interface WorkloadAddressesDependencies {
  readonly trustDomain: string;
  readonly note: (change: AddressChange) => void;
  readonly placeOf: (name: ResourceName) => WorkloadPlace | undefined;
  /** Whether a workload has a proxy with this identity. */
  readonly isThere: (namespace: string, name: string, spiffeId: string) => boolean;
  readonly nowMs: () => number;
}

type Held = Pick<AddressSpan, "isMeshed"> & Pick<WorkloadPlace, "uid" | "addresses">;

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
      if (now?.addresses.includes(address) === true && now.isMeshed === isMeshed) {
        const { addresses = [] } = this.#held.get(name) ?? {};
        this.#held.set(name, { ...now, addresses: [...addresses, address] });
      } else dependencies.note({ kind: "left", address, workload: name, isMeshed, atMs: knownMs });
    }
  }

  /** Its entry or its pod, or whether it has a proxy, may be another. */
  changed(name: ResourceName): void {
    const { note, nowMs } = this.#dependencies;
    const workload = nameKey(name);
    const before = this.#held.get(workload);
    const now = this.#holds(name);
    const isSame = before?.isMeshed === now?.isMeshed && before?.uid === now?.uid;
    const left = minus(before, isSame ? now : undefined);
    const held = minus(now, isSame ? before : undefined);
    if (now === undefined) this.#held.delete(workload);
    else this.#held.set(workload, now);
    if (left.length + held.length === 0) return;
    const atMs = nowMs();
    for (const address of left) {
      note({ kind: "left", workload, address, isMeshed: before?.isMeshed === true, atMs });
    }
    for (const address of held) {
      note({ kind: "held", workload, address, isMeshed: now?.isMeshed === true, atMs });
    }
  }

  #holds(name: ResourceName): Held | undefined {
    const { trustDomain, placeOf, isThere } = this.#dependencies;
    const place = placeOf(name);
    if (place === undefined || place.addresses.length === 0) return undefined;
    const { uid, addresses, serviceAccount, hasProxy } = place;
    const id = `spiffe://${trustDomain}/ns/${name.namespace}/sa/${serviceAccount}`;
    return { uid, addresses, isMeshed: hasProxy || isThere(name.namespace, name.name, id) };
  }
}

function minus(these: Held | undefined, others: Held | undefined): readonly string[] {
  return (these?.addresses ?? []).filter((each) => others?.addresses.includes(each) !== true);
}
