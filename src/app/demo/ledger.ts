/** Adds the facts up: who was given which certificate, and what became of it. Only memory. */

import { workloadNames, type Fact, type WorkloadName } from "./fact.ts";

export interface SignedCertificate {
  readonly serial: string;
  readonly spiffeId: string;
  readonly signedAtMs: number;
  readonly notAfterMs: number;
}

/** Certificates after the first. */
export interface Renewals {
  readonly acked: number;
  /** Acknowledged, and used in handshakes. */
  readonly used: number;
}

interface WorkloadBook {
  /** In the order of their first ACK, with its time. */
  readonly acked: Map<string, number>;
  readonly used: Set<string>;
  nacks: number;
}

export class Ledger {
  readonly #signed = new Map<string, SignedCertificate>();
  readonly #presentedAtMs = new Map<string, number>();
  readonly #books: ReadonlyMap<WorkloadName, WorkloadBook> = new Map(
    workloadNames.map((name) => [name, { acked: new Map(), used: new Set(), nacks: 0 }]),
  );

  isControlPlaneUp = false;

  take(fact: Fact): void {
    switch (fact.kind) {
      case "ready":
        this.isControlPlaneUp = true;
        break;
      case "killed":
      case "lost":
        if (fact.program === "control plane") this.isControlPlaneUp = false;
        break;
      case "signed": {
        const { serial, spiffeId, notAfterMs, atMs } = fact;
        this.#signed.set(serial, { serial, spiffeId, signedAtMs: atMs, notAfterMs });
        break;
      }
      case "acked":
        if (fact.serial !== undefined) {
          const { acked } = this.#book(fact.workload);
          // A reconnected Envoy acknowledges again what it holds.
          if (!acked.has(fact.serial)) acked.set(fact.serial, fact.atMs);
        }
        break;
      case "nacked":
        this.#book(fact.workload).nacks++;
        break;
      case "used":
        this.#book(fact.workload).used.add(fact.serial);
        break;
      case "presented":
        if (!this.#presentedAtMs.has(fact.serial)) {
          this.#presentedAtMs.set(fact.serial, fact.atMs);
        }
        this.#book("server").used.add(fact.serial);
        break;
      case "traffic-started":
      case "agent-started":
      case "renewal-failed":
      case "expired":
        break;
      default:
        fact satisfies never;
    }
  }

  get signedCount(): number {
    return this.#signed.size;
  }

  signed(serial: string): SignedCertificate | undefined {
    return this.#signed.get(serial);
  }

  firstAckedAtMs(workload: WorkloadName, serial: string): number | undefined {
    return this.#book(workload).acked.get(serial);
  }

  nacks(workload: WorkloadName): number {
    return this.#book(workload).nacks;
  }

  renewals(workload: WorkloadName): Renewals {
    const { acked, used } = this.#book(workload);
    const renewed = [...acked.keys()].slice(1);
    return { acked: renewed.length, used: renewed.filter((serial) => used.has(serial)).length };
  }

  /** For each of the server's renewals of which both moments are known. */
  get signToFirstHandshakeMs(): readonly number[] {
    const renewed = [...this.#book("server").acked.keys()].slice(1);
    return renewed.flatMap((serial) => {
      const signedAtMs = this.#signed.get(serial)?.signedAtMs;
      const presentedAtMs = this.#presentedAtMs.get(serial);
      if (signedAtMs === undefined || presentedAtMs === undefined) return [];
      return presentedAtMs - signedAtMs;
    });
  }

  #book(workload: WorkloadName): WorkloadBook {
    const book = this.#books.get(workload);
    if (book === undefined) throw new TypeError(`expected a workload, got ${workload}`);
    return book;
  }
}
