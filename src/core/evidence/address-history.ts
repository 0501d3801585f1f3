/**
 * Who held an address when. A caller is named by who held its address for the whole time in which it was seen, as far as that is
 * known, and never by who holds it now.
 */

import { canonicalIp } from "./ip-address.ts";

export interface AddressSpan {
  /** As in `canonicalIp`; what is none, such as a name of DNS, nobody calls from. */
  readonly address: string;
  /** NAMESPACE/NAME */
  readonly name: string;
  /** It had a proxy of the mesh. */
  readonly isMeshed: boolean;
  readonly sinceMs: number;
  /** The first moment at which it held it no more; undefined: it holds it now. */
  readonly untilMs: number | undefined;
}

export type Holder =
  | { readonly kind: "workload"; readonly name: string; readonly isMeshed: boolean }
  /** The host of the proxy that was called: a probe, or anything beside it. */
  | { readonly kind: "own"; readonly name: string }
  /** At once or in turn; sorted. */
  | { readonly kind: "several"; readonly names: readonly string[] }
  | { readonly kind: "unknown" };

/** Who sees a call and who knows of an address have a clock each. */
const skewDefaultMs = 2_000;
const unknown: Holder = { kind: "unknown" };

export class AddressHistory {
  readonly #spans = new Map<string, AddressSpan[]>();
  readonly #skewMs: number;

  /** @param skewMs how far the clocks of callers' hosts may be off the one of the spans */
  constructor(spans: Iterable<AddressSpan>, skewMs: number = skewDefaultMs) {
    this.#skewMs = skewMs;
    for (const span of spans) {
      const address = canonicalIp(span.address);
      if (address === undefined) continue;
      const there = this.#spans.get(address);
      if (there === undefined) this.#spans.set(address, [span]);
      else there.push(span);
    }
    for (const all of this.#spans.values()) all.sort((a, b) => a.sinceMs - b.sinceMs);
  }

  /**
   * Of a caller that was seen from `firstMs` to `lastMs`. It may have called at any time between, and at one that is off by the skew:
   * so whoever held the address then may have been it. Nobody is known only where that is longer than the skew.
   * @param address canonical
   */
  holderOf(address: string, firstMs: number, lastMs: number): Holder {
    const skewMs = this.#skewMs;
    let one: AddressSpan | undefined;
    let isMeshed = true;
    let others: Set<string> | undefined;
    let knownMs = firstMs;
    for (const span of this.#spans.get(address) ?? []) {
      const untilMs = span.untilMs ?? Infinity;
      if (untilMs <= firstMs - skewMs || span.sinceMs > lastMs + skewMs) continue;
      if (Math.min(span.sinceMs, lastMs) - knownMs > skewMs) return unknown;
      knownMs = Math.max(knownMs, untilMs);
      isMeshed &&= span.isMeshed;
      one ??= span;
      if (span.name !== one.name) others = (others ?? new Set()).add(span.name);
    }
    if (one === undefined || lastMs - knownMs > skewMs) return unknown;
    if (others === undefined) return { kind: "workload", name: one.name, isMeshed };
    return { kind: "several", names: [one.name, ...others].toSorted() };
  }
}
