/** What callers did, summed up: one for each name, kind and holder, and whether it was refused. */

import { compareText } from "../compare-text.ts";
import type { Caller, CallerHolder } from "./caller.ts";
import type { ConnectionKind } from "./connection.ts";
import type { MemberSeen } from "./member.ts";

/** The name of those without a source. */
const othersName = "others";

interface Sum {
  readonly name: string;
  holder: CallerHolder;
  readonly kind: ConnectionKind;
  readonly isRefused: boolean;
  readonly addresses: Set<string>;
  /** Ports by the names of members. */
  readonly called: Map<string, Set<number>>;
  firstMs: number;
  lastMs: number;
  count: number;
  claim: string;
  claimMs: number;
}

export class CallerSums {
  readonly #byName = new Map<string, Sum[]>();

  /** @param member NAMESPACE/NAME of the workload that was called */
  add(seen: MemberSeen, holder: CallerHolder, member: string): void {
    add(this.#sumOf(callerName(seen, holder), holder, seen), seen, holder, member);
  }

  callers(waived: ReadonlySet<string>): readonly Caller[] {
    return [...this.#byName.values()].flat().map((sum) => callerOf(sum, waived));
  }

  #sumOf(name: string, holder: CallerHolder, { kind, isRefused, firstMs }: MemberSeen): Sum {
    const named = this.#byName.get(name);
    const known = named?.find(
      (sum) => sum.kind === kind && sum.isRefused === isRefused && sum.holder.kind === holder.kind,
    );
    if (known !== undefined) return known;
    const sum: Sum = {
      name,
      holder,
      kind,
      isRefused,
      addresses: new Set(),
      called: new Map(),
      firstMs,
      lastMs: -Infinity,
      count: 0,
      claim: "",
      claimMs: -Infinity,
    };
    if (named === undefined) this.#byName.set(name, [sum]);
    else named.push(sum);
    return sum;
  }
}

function callerName({ source }: MemberSeen, holder: CallerHolder): string {
  if (holder.kind === "workload" || holder.kind === "own") return holder.name;
  if (source.kind === "identity") return source.spiffeId;
  return source.kind === "address" ? source.address : othersName;
}

function add(sum: Sum, seen: MemberSeen, holder: CallerHolder, member: string): void {
  const { source, port, firstMs, lastMs, claim } = seen;
  if (source.kind === "address") sum.addresses.add(source.address);
  const ports = sum.called.get(member);
  if (ports === undefined) sum.called.set(member, new Set([port]));
  else ports.add(port);
  sum.count += seen.count;
  sum.firstMs = Math.min(sum.firstMs, firstMs);
  if (lastMs > sum.lastMs) [sum.lastMs, sum.holder] = [lastMs, holder];
  if (claim !== "" && lastMs > sum.claimMs) [sum.claimMs, sum.claim] = [lastMs, claim];
}

function callerOf(sum: Sum, waived: ReadonlySet<string>): Caller {
  const { claimMs: _, ...caller } = sum;
  const called = Array.from(sum.called, ([member, ports]) =>
    Array.from(ports, (port) => `${member}:${port}`),
  ).flat();
  return {
    ...caller,
    addresses: [...sum.addresses].toSorted(compareText),
    called: called.toSorted(compareText),
    isWaived: waived.has(sum.name),
  };
}
