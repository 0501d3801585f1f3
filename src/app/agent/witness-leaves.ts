/** Certificates that the log has not shown yet: each is asked about, again after a while, until it is shown or convicts. */

import { ownLeaf, type OwnLeaf } from "../../core/log/own-leaf.ts";
import type { ReceivedCertificate } from "./workload-set.ts";

export interface PendingLeaf {
  readonly leaf: OwnLeaf;
  readonly serialHex: string;
  readonly receivedAtMs: number;
  readonly notAfterMs: number;
}

interface Pending extends PendingLeaf {
  /** `performance.now()`; -Infinity when it is to be asked about at once. */
  askedAt: number;
}

const pendingMax = 4_096;
/** In one request; the server answers some, and the others are asked about again. */
const askedMax = 256;
const askAgainMs = 60_000;

export class WitnessLeaves {
  readonly #pending = new Map<string, Pending>();
  /** Serials that are held and settled. */
  #settled: ReadonlySet<string> = new Set();

  /**
   * What the agent holds now; what it held before is still asked about, until it expires.
   * @returns those that have expired without an answer
   */
  update(held: readonly ReceivedCertificate[], nowMs: number): readonly PendingLeaf[] {
    const expired = [...this.#pending.values()].filter(({ notAfterMs }) => notAfterMs <= nowMs);
    for (const { serialHex } of expired) this.#pending.delete(serialHex);
    const settled = new Set<string>();
    for (const { certificate, receivedAtMs } of held) {
      const { serialHex, id, chain, notAfterMs } = certificate;
      if (this.#settled.has(serialHex)) settled.add(serialHex);
      else if (!this.#pending.has(serialHex) && notAfterMs > nowMs && this.#hasRoom()) {
        const leaf = ownLeaf(id.toString(), chain[0] ?? new Uint8Array());
        const pending = { leaf, serialHex, receivedAtMs, notAfterMs, askedAt: -Infinity };
        this.#pending.set(serialHex, pending);
      }
    }
    this.#settled = settled;
    return expired;
  }

  /** To be asked about now. */
  takeDue(): readonly PendingLeaf[] {
    const now = performance.now();
    const due: Pending[] = [];
    for (const pending of this.#pending.values()) {
      if (due.length === askedMax) break;
      if (now - pending.askedAt >= askAgainMs) due.push(pending);
    }
    for (const pending of due) pending.askedAt = now;
    return due;
  }

  /** A new stream: what the last one was asked is not answered any more. */
  askAll(): void {
    for (const pending of this.#pending.values()) pending.askedAt = -Infinity;
  }

  find(serial: Uint8Array): PendingLeaf | undefined {
    return this.#pending.get(Buffer.from(serial).toString("hex"));
  }

  #hasRoom(): boolean {
    return this.#pending.size < pendingMax;
  }

  /** Nothing more is asked about it. */
  settle({ serialHex }: PendingLeaf): void {
    this.#pending.delete(serialHex);
    this.#settled = new Set(this.#settled).add(serialHex);
  }
}
