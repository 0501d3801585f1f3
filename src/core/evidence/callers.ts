/**
 * Whom a strict port would refuse: all that were seen outside of mTLS, by the name of who held their address then. One pass over what
 * may be a million rows, most of which are mTLS.
 */

import { compareText } from "../compare-text.ts";
import type { Holder } from "./address-history.ts";
import type { ConnectionKind, SeenConnections } from "./connection.ts";
import { isLoopback } from "./ip-address.ts";
import { isAsked, type Member, type MemberSeen } from "./member.ts";

export type CallerHolder =
  | Holder
  /** Its certificate names it. */
  | { readonly kind: "identity" }
  /** An agent had no room for their names. */
  | { readonly kind: "others" }
  /** Not seen: the configuration has it send plaintext. */
  | { readonly kind: "configuration"; readonly why: string };

export interface Caller {
  /** What a waiver names: NAMESPACE/NAME, a SPIFFE ID, an address where nobody is known to have held it alone, or `others`. */
  readonly name: string;
  readonly holder: CallerHolder;
  readonly kind: ConnectionKind;
  readonly isRefused: boolean;
  readonly addresses: readonly string[];
  /** NAMESPACE/NAME:PORT, sorted. */
  readonly called: readonly string[];
  /** Undefined where it was not seen. */
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  readonly count: number;
  /** The newest word of it about itself. */
  readonly claim: string;
  readonly isWaived: boolean;
}

export interface CallersInput {
  /** What was last seen before it does not count. */
  readonly fromMs: number;
  /** Undefined: all. */
  readonly ports: readonly number[] | undefined;
  readonly members: readonly Member[];
  readonly seen: Iterable<MemberSeen>;
  readonly holderOf: (address: string, firstMs: number, lastMs: number) => Holder;
  readonly waived: ReadonlySet<string>;
  readonly brokenCalls: readonly BrokenCall[];
}

/** By configuration alone. */
export interface BrokenCall {
  /** NAMESPACE/NAME */
  readonly client: string;
  readonly why: string;
}

export interface Callers {
  /** Those that are not waived first; of these the last seen first. */
  readonly callers: readonly Caller[];
  readonly connections: { readonly mtls: number; readonly unmeshed: number };
}

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

export function callersOf(input: CallersInput): Callers {
  const { fromMs, ports, waived } = input;
  const names = new Map(input.members.map(({ key, name }) => [key, name]));
  const sums = new Map<string, Sum[]>();
  let [mtls, unmeshed] = [0, 0];
  for (const seen of input.seen) {
    if (seen.lastMs < fromMs || !isAsked(ports, seen.port)) continue;
    if (seen.kind === "mtls" && !seen.isRefused) mtls += seen.count;
    else {
      unmeshed += seen.count;
      const member = names.get(seen.member) ?? seen.member;
      const holder = callerHolder(seen, member, input.holderOf);
      add(sumOf(sums, callerName(seen, holder), holder, seen), seen, holder, member);
    }
  }
  const callers = [
    ...Array.from(sums.values(), (all) => all.map((sum) => callerOf(sum, waived))).flat(),
    ...input.brokenCalls.map((call) => brokenCaller(call, waived)),
  ];
  return { callers: callers.toSorted(byUrgency), connections: { mtls, unmeshed } };
}

/** @param member NAMESPACE/NAME of the workload that was called @param known who held an address */
export function callerHolder(
  { source, firstMs, lastMs }: SeenConnections,
  member: string,
  known: CallersInput["holderOf"],
): CallerHolder {
  if (source.kind !== "address") return source;
  const { address } = source;
  const holder = known(address, firstMs, lastMs);
  const isOwn =
    holder.kind === "workload"
      ? holder.name === member
      : holder.kind === "unknown" && isLoopback(address);
  return isOwn ? { kind: "own", name: member } : holder;
}

function callerName({ source }: MemberSeen, holder: CallerHolder): string {
  if (holder.kind === "workload" || holder.kind === "own") return holder.name;
  if (source.kind === "identity") return source.spiffeId;
  return source.kind === "address" ? source.address : othersName;
}

function sumOf(
  sums: Map<string, Sum[]>,
  name: string,
  holder: CallerHolder,
  { kind, isRefused, firstMs }: MemberSeen,
): Sum {
  const named = sums.get(name);
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
  if (named === undefined) sums.set(name, [sum]);
  else named.push(sum);
  return sum;
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

function brokenCaller({ client, why }: BrokenCall, waived: ReadonlySet<string>): Caller {
  return {
    name: client,
    holder: { kind: "configuration", why },
    kind: "plaintext",
    isRefused: false,
    addresses: [],
    called: [],
    firstMs: undefined,
    lastMs: undefined,
    count: 0,
    claim: "",
    isWaived: waived.has(client),
  };
}

function byUrgency(a: Caller, b: Caller): number {
  return (
    Number(a.isWaived) - Number(b.isWaived) ||
    (b.lastMs ?? 0) - (a.lastMs ?? 0) ||
    compareText(a.name, b.name) ||
    compareText(a.kind, b.kind) ||
    Number(a.isRefused) - Number(b.isRefused) ||
    compareText(a.holder.kind, b.holder.kind)
  );
}
