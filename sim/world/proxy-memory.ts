/**
 * What an agent remembers of its Envoys over its own end, as `src/app/agent/proxy-memory.ts` keeps it: production decides what is
 * remembered and what is said of it, and a full disk loses it.
 */

import {
  encodeRemembered,
  evidenceAway,
  evidenceHere,
  parseRemembered,
  seen,
  type RememberedProxy,
  type StoredProxy,
} from "../../src/app/agent/remembered-proxy.ts";
import {
  proxyKey,
  type HeldCertificate,
  type ProxyEvidence,
} from "../../src/core/roll/evidence.ts";

export type Evidence = ReadonlyMap<string, ProxyEvidence>;

export class ProxyMemory {
  #proxies = new Map<string, RememberedProxy>();
  #disk: readonly StoredProxy[] = [];

  /** A certificate goes out. */
  sent(
    proxy: Pick<ProxyEvidence, "proxyId" | "spiffeId">,
    certificate: HeldCertificate,
    atMs: number,
  ): void {
    const evidence = { ...proxy, subscriptions: [] };
    const key = proxyKey(evidence);
    const known: RememberedProxy = this.#proxies.get(key) ?? { evidence, lapsed: [] };
    if (known.sent !== undefined && known.sent.notAfterMs >= certificate.notAfterMs) return;
    const { serialHex, notAfterMs } = certificate;
    this.#proxies.set(key, { ...known, sent: { serialHex, notAfterMs, atMs } });
    this.#write();
  }

  /** @returns what those who are here have besides, and who is away */
  look(here: Evidence, nowMs: number): Map<string, ProxyEvidence> {
    const remembered = new Map<string, ProxyEvidence>();
    for (const [key, evidence] of here) {
      const proxy = seen(this.#proxies.get(key), evidence, nowMs);
      this.#proxies.set(key, proxy);
      const more = evidenceHere(proxy, nowMs);
      if (more !== undefined) remembered.set(key, more);
    }
    for (const [key, proxy] of this.#proxies) {
      if (here.has(key)) continue;
      const evidence = evidenceAway(proxy, nowMs);
      if (evidence === undefined) this.#proxies.delete(key);
      else remembered.set(key, evidence);
    }
    this.#write();
    return remembered;
  }

  /** The process begins again. */
  reload(): void {
    const stored = this.#disk.map(parseRemembered);
    this.#proxies = new Map(stored.map((each) => [proxyKey(each.evidence), each]));
  }

  wipe(): void {
    this.#proxies.clear();
    this.#disk = [];
  }

  #write(): void {
    this.#disk = [...this.#proxies.values()].flatMap((each) => encodeRemembered(each) ?? []);
  }
}
