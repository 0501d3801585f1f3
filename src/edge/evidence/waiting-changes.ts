/**
 * Changes that wait, in their order. Of a proxy that is told again and again its last state waits, and no report of it is passed over: so
 * there are no more than of all proxies. Who held an address, and when, stays whole.
 */

import type {
  AddressChange,
  ChangeOutcome,
  EvidenceChange,
  ReportChange,
} from "./evidence-change.ts";

export interface PendingChange {
  readonly change: EvidenceChange;
  /** Undefined where nobody waits for it. */
  readonly done: PromiseWithResolvers<ChangeOutcome> | undefined;
}

export type NotedChange = Exclude<EvidenceChange, ReportChange>;

interface NotedPending {
  readonly change: NotedChange;
  readonly done: undefined;
}

const changeOctets = 512;
/** As many as become fewer. */
const joinedMax = 4;

export class WaitingChanges {
  readonly #all = new Set<PendingChange>();
  /** By what they are about: those that no report has come after. */
  readonly #last = new Map<string, readonly NotedPending[]>();
  #notedOctets = 0;

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** Of those that are no reports, about. */
  get notedOctets(): number {
    return this.#notedOctets;
  }

  add({ change, done }: PendingChange): void {
    if (change.kind !== "report") return this.#note({ change, done: undefined });
    this.#all.add({ change, done });
    for (const { proxy } of change.proxies) this.#last.delete(proxy);
  }

  /** The first ones. @param hasRoom asked for one after the other */
  take(hasRoom: (change: EvidenceChange) => boolean): readonly PendingChange[] {
    const taken: PendingChange[] = [];
    for (const pending of this.#all) {
      if (!hasRoom(pending.change) && taken.length > 0) break;
      taken.push(pending);
      this.#remove(pending);
    }
    // What comes now comes after them.
    this.#last.clear();
    return taken;
  }

  #note(pending: NotedPending): void {
    const subject = subjectOf(pending.change);
    const waiting = [...(this.#last.get(subject) ?? []), pending];
    const kept = joined(waiting);
    for (const each of waiting) if (!kept.includes(each)) this.#remove(each);
    for (const each of kept) this.#insert(each);
    this.#last.set(subject, kept.slice(-joinedMax));
  }

  #insert(pending: NotedPending): void {
    if (this.#all.has(pending)) return;
    this.#all.add(pending);
    this.#notedOctets += octetsOf(pending.change);
  }

  #remove(pending: PendingChange): void {
    if (this.#all.delete(pending)) this.#notedOctets -= octetsOf(pending.change);
  }
}

/** What the newest of them makes needless is not there any more. */
function joined(waiting: readonly NotedPending[]): readonly NotedPending[] {
  const [a, b, c, d] = waiting.slice(-4).map(({ change }) => change);
  if (isFlap(a, b, c, d)) return waiting.slice(0, -4);
  const last = waiting.at(-1)?.change;
  if (last?.kind === "gone" && waiting.at(-2)?.change.kind === "gone") {
    return [...waiting.slice(0, -2), { change: last, done: undefined }];
  }
  if (last?.kind !== "member") return waiting;
  // As if it had not been gone: its evidence shows the time between.
  const at = waiting.findIndex(({ change }) => change.kind === "member");
  const first = waiting[at]?.change ?? last;
  const lostMs = Math.max(last.lostMs ?? 0, first.kind === "member" ? (first.lostMs ?? 0) : 0);
  const change = { ...last, ...(lostMs > 0 && { lostMs }), atMs: first.atMs };
  return [...waiting.slice(0, at), { change, done: undefined }];
}

/** Its holder had a proxy, or none, for a moment, and held it all the time. */
function isFlap(a?: NotedChange, b?: NotedChange, c?: NotedChange, d?: NotedChange): boolean {
  if (a?.kind !== "left" || b?.kind !== "held" || c?.kind !== "left" || d?.kind !== "held") {
    return false;
  }
  return a.atMs === b.atMs && c.atMs === d.atMs && a.isMeshed === d.isMeshed;
}

function subjectOf(change: NotedChange): string {
  return change.kind === "member" || change.kind === "gone" ? change.proxy : holdingOf(change);
}

/** No proxy has such a key. */
function holdingOf({ address, workload }: AddressChange): string {
  return `${address} ${workload}`;
}

function octetsOf(change: EvidenceChange): number {
  if (change.kind === "report") return 0;
  return changeOctets + (change.kind === "member" ? change.labels.length : 0);
}
