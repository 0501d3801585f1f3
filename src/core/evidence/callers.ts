/**
 * Whom a strict port would refuse: all that were seen outside of mTLS, by the name of who held their address then. One pass over what
 * may be a million rows, most of which are mTLS.
 */

import { compareText } from "../compare-text.ts";
import type { Holder } from "./address-history.ts";
import { CallerSums } from "./caller-sums.ts";
import type { Caller, CallerHolder } from "./caller.ts";
import type { SeenConnections } from "./connection.ts";
import { isLoopback } from "./ip-address.ts";
import { isAsked, type Member, type MemberSeen } from "./member.ts";

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

export function callersOf(input: CallersInput): Callers {
  const { fromMs, ports, waived } = input;
  const names = new Map(input.members.map(({ key, name }) => [key, name]));
  const sums = new CallerSums();
  let [mtls, unmeshed] = [0, 0];
  for (const seen of input.seen) {
    if (seen.lastMs < fromMs || !isAsked(ports, seen.port)) continue;
    if (seen.kind === "mtls" && !seen.isRefused) mtls += seen.count;
    else {
      unmeshed += seen.count;
      const member = names.get(seen.member) ?? seen.member;
      sums.add(seen, callerHolder(seen, member, input.holderOf), member);
    }
  }
  const callers = [
    ...sums.callers(waived),
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
