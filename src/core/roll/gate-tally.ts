/** Counts what a gate waits for, and names the first of them: names and texts cost, and ten thousand are counted only. */

import { formatGoDuration } from "../duration.ts";
import { FirstOf } from "./first-of.ts";
import { laggardName } from "./laggard-name.ts";
import {
  laggardKinds,
  type Gate,
  type Laggard,
  type LaggardKind,
  type LaggardReason,
} from "./laggard.ts";

export interface Lag {
  readonly kind: LaggardKind;
  /** The name without its kind and identity. */
  readonly id: string;
  readonly spiffeId: string;
  readonly reason: LaggardReason;
  /** What the detail is about, as the reason needs it. */
  readonly about: string;
  readonly endsAtMs: number | undefined;
  /** Of one that is connected, and may be frozen: how long ago the bundle was sent, of which it has said nothing. */
  readonly silentMs?: number;
  /** What is known beyond the reason, "" for nothing; asked for those that are named. */
  readonly why?: () => string;
}

const details: Readonly<Record<LaggardReason, (about: string) => string>> = {
  "not-connected": () => "it was seen and is away: it may live on with the bundle that it has",
  "never-connected": () => "it has an unexpired certificate, and this server has not seen it yet",
  "not-acknowledged": (about) => `it has not acknowledged ${about}`,
  refused: (about) => `it has refused ${about}`,
  "old-bundle": (about) => `${about} is not the present bundle`,
  "no-trust-bundle": () => "it has a certificate, and does not get whom it trusts from here",
  "not-renewed": () => "its certificate is older than the present bundle",
  unexpired: () => "its certificate is not expired",
  "root-unknown": () =>
    "an older version wrote its entry of the log, which names no root: it counts for each, until it has expired",
  "perhaps-signed": (about) => about,
  unobservable: (about) => about,
  rebuilding: (about) => about,
  clock: (about) => about,
  "too-many": (about) => about,
  "own-certificate": (about) => about,
  "handshake-pending": (about) => `it has not shown yet that it takes the new root: ${about}`,
  "handshake-failed": (about) => `it does not take a certificate of the new root: ${about}`,
  "handshake-unavailable": (about) =>
    `there is no certificate of the new root to try it with: ${about}`,
};

export class GateTally {
  readonly #waived: ReadonlySet<string>;
  readonly #named: FirstOf<Lag>;
  #total = 0;
  #confirmed = 0;
  #weak = 0;
  #waivedCount = 0;
  #ackOnly = 0;
  #opensAtMs: number | undefined = 0;

  /** @param namedMax at least one is named */
  constructor(namedMax: number, waived: ReadonlySet<string>) {
    this.#named = new FirstOf(Math.max(1, namedMax), lastToEndFirst);
    this.#waived = waived;
  }

  confirm(isWeak: boolean): void {
    this.#total += 1;
    this.#confirmed += 1;
    if (isWeak) this.#weak += 1;
  }

  /** One of those that are confirmed: by its word, and by no handshake. */
  confirmedByWord(): void {
    this.#ackOnly += 1;
  }

  /** Nobody can waive what the server does not know. */
  lag(lag: Lag): void {
    const isWaived = this.#waived.size > 0 && lag.kind !== "server";
    if (isWaived && this.#waived.has(laggardName(lag.kind, lag.id, lag.spiffeId))) {
      this.waive(1);
    } else {
      this.name(lag);
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

  /** One that is counted already. */
  name(lag: Lag): void {
    this.#named.add(lag);
  }

  gate(): Gate {
    const total = this.#total;
    const evidence = {
      total,
      confirmed: this.#confirmed,
      weak: this.#weak,
      waived: this.#waivedCount,
      ...(this.#ackOnly > 0 && { ackOnly: this.#ackOnly }),
    };
    const lagging = total - this.#confirmed - this.#waivedCount;
    if (lagging === 0) return { kind: "open", evidence };
    return {
      kind: "closed",
      laggards: this.#named.sorted().map(laggardOf),
      lagging,
      ...(this.#opensAtMs !== undefined && { opensAtMs: this.#opensAtMs }),
      evidence,
    };
  }
}

function laggardOf({ kind, id, spiffeId, reason, about, endsAtMs, silentMs, why }: Lag): Laggard {
  const seconds = Math.floor((silentMs ?? 0) / 1_000);
  const silence =
    seconds > 0 ? `; not heard of since the bundle was sent, ${formatGoDuration(seconds)} ago` : "";
  const known = why?.() ?? "";
  const detail = details[reason](about) + (known === "" ? "" : `: ${known}`) + silence;
  const name = laggardName(kind, id, spiffeId);
  return { kind, name, spiffeId, reason, detail, ...(endsAtMs !== undefined && { endsAtMs }) };
}

/** Those before all that do not end by themselves. Ten thousand that lag alike are told apart without making their names. */
function lastToEndFirst(a: Lag, b: Lag): number {
  const [aEndMs, bEndMs] = [a.endsAtMs ?? Infinity, b.endsAtMs ?? Infinity];
  if (aEndMs !== bEndMs) return bEndMs > aEndMs ? 1 : -1;
  const byKind = laggardKinds.indexOf(a.kind) - laggardKinds.indexOf(b.kind);
  if (byKind !== 0) return byKind;
  return a.spiffeId === b.spiffeId ? inOrder(a.id, b.id) : inOrder(a.spiffeId, b.spiffeId);
}

function inOrder(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
