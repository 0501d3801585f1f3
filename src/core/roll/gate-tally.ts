/** Counts what a gate waits for, and names the first of them: names and texts cost, and ten thousand are counted only. */

import type { Gate, Laggard, LaggardKind, LaggardReason } from "./laggard.ts";

export interface Lag {
  readonly kind: LaggardKind;
  /** The name without its kind and identity. */
  readonly id: string;
  readonly spiffeId: string;
  readonly reason: LaggardReason;
  /** What the detail is about, as the reason needs it. */
  readonly about: string;
  readonly endsAtMs: number | undefined;
}

const kindOrder: readonly LaggardKind[] = [
  "server",
  "class",
  "agent",
  "proxy",
  "workload-api",
  "leaf",
  "certificate",
];

const details: Readonly<Record<LaggardReason, (about: string) => string>> = {
  "not-connected": () => "it was seen and is away: it may live on with the bundle that it has",
  "never-connected": () => "it has an unexpired certificate, and this server has not seen it yet",
  "not-acknowledged": (about) => `it has not acknowledged ${about}`,
  refused: (about) => `it has refused ${about}`,
  "old-bundle": (about) => `${about} is not the present bundle`,
  "no-trust-bundle": () => "it has a certificate, and does not get whom it trusts from here",
  "not-renewed": () => "its certificate is older than the present bundle",
  unexpired: () => "its certificate is not expired",
  "perhaps-signed": (about) => about,
  unobservable: () => "who reads the bundle there cannot be observed",
  rebuilding: (about) => about,
  "own-certificate": (about) => about,
};

export class GateTally {
  readonly #namedMax: number;
  readonly #waived: ReadonlySet<string>;
  readonly #named: Laggard[] = [];
  #total = 0;
  #confirmed = 0;
  #weak = 0;
  #waivedCount = 0;
  #opensAtMs: number | undefined = 0;

  /** @param namedMax at least one is named */
  constructor(namedMax: number, waived: ReadonlySet<string>) {
    this.#namedMax = Math.max(1, namedMax);
    this.#waived = waived;
  }

  confirm(isWeak: boolean): void {
    this.#total += 1;
    this.#confirmed += 1;
    if (isWeak) this.#weak += 1;
  }

  /** Nobody can waive what the server does not know. */
  lag(lag: Lag): void {
    const isWaived = this.#waived.size > 0 && lag.kind !== "server";
    if (isWaived && this.#waived.has(nameOf(lag))) {
      this.waive(1);
    } else {
      if (this.#named.length < this.#namedMax) this.#named.push(laggardOf(lag));
      this.lagUnnamed(1, lag.endsAtMs);
    }
  }

  waive(count: number): void {
    this.#total += count;
    this.#waivedCount += count;
  }

  /** @param endsAtMs when the last of them ends */
  lagUnnamed(count: number, endsAtMs: number | undefined): void {
    this.#total += count;
    const known = this.#opensAtMs;
    this.#opensAtMs =
      known === undefined || endsAtMs === undefined ? undefined : Math.max(known, endsAtMs);
  }

  get namesLeft(): number {
    return this.#namedMax - this.#named.length;
  }

  name(lag: Lag): void {
    this.#named.push(laggardOf(lag));
  }

  gate(): Gate {
    const total = this.#total;
    const evidence = {
      total,
      confirmed: this.#confirmed,
      weak: this.#weak,
      waived: this.#waivedCount,
    };
    const lagging = total - this.#confirmed - this.#waivedCount;
    if (lagging === 0) return { kind: "open", evidence };
    return {
      kind: "closed",
      laggards: this.#named.toSorted(inOrder),
      lagging,
      ...(this.#opensAtMs !== undefined && { opensAtMs: this.#opensAtMs }),
      evidence,
    };
  }
}

function nameOf({ kind, id, spiffeId }: Lag): string {
  const isNamedWithOwner = kind === "agent" || kind === "proxy" || kind === "workload-api";
  return isNamedWithOwner ? `${kind}/${id}@${spiffeId}` : `${kind}/${id}`;
}

function laggardOf(lag: Lag): Laggard {
  const { kind, spiffeId, reason, about, endsAtMs } = lag;
  const detail = details[reason](about);
  const name = nameOf(lag);
  return { kind, name, spiffeId, reason, detail, ...(endsAtMs !== undefined && { endsAtMs }) };
}

function inOrder(a: Laggard, b: Laggard): number {
  const byKind = kindOrder.indexOf(a.kind) - kindOrder.indexOf(b.kind);
  if (byKind !== 0) return byKind;
  return a.name < b.name ? -1 : Number(a.name > b.name);
}
