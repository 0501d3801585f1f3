/** An Envoy of which all is known: its connections, what it counts of them, and what it tells of each to an account. */

import assert from "node:assert/strict";
import { ConnectionAccount } from "../../src/core/evidence/connection-account.ts";
import type {
  ChainCounts,
  CountsFlush,
  ToldConnection,
} from "../../src/core/evidence/connection-counts.ts";
import { noChain } from "../../src/core/evidence/chain-names.ts";
import type { CountedCoverage } from "../../src/core/evidence/port-account.ts";

export interface Call {
  readonly id: string;
  readonly chain: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** When an agent gets the entry of its begin. Undefined: there is none, or it is lost. */
  readonly beginToldMs?: number | undefined;
  /** Undefined: it is lost. */
  readonly endToldMs?: number | undefined;
  /** From its end until a counter says so. */
  readonly lagMs?: number;
}

/** From then until then a listener has no such chains; they take their counters with them. */
export interface Absence {
  readonly chains: readonly string[];
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Run {
  readonly firstMs: number;
  readonly lastMs: number;
  /** What the host's clock says at a time. */
  readonly clock?: (ms: number) => number;
  readonly account?: ConnectionAccount;
  /** After each flush, with all rows until then. */
  readonly onTake?: (rows: readonly CountedCoverage[], nowMs: number) => void;
}

export interface Ran {
  readonly account: ConnectionAccount;
  readonly rows: readonly CountedCoverage[];
  /** How many connections were told of, those told of before left out. */
  readonly count: number;
}

export const envoyBornMs = 1_000_000_000;
const envoyPort = 80;

export class CountedEnvoy {
  readonly #calls: readonly Call[];
  readonly #absences: readonly Absence[];

  constructor(calls: readonly Call[], absences: readonly Absence[] = []) {
    this.#calls = calls;
    this.#absences = absences;
  }

  flush(ms: number, clock: (ms: number) => number = (same) => same): CountsFlush {
    const names = new Set(this.#calls.map(({ chain }) => chain));
    const chains = Array.from(names, (name) => [name, this.#counts(name, ms)] as const);
    const counts = new Map(chains.filter(([, { ended, open }]) => ended + open > 0));
    const ended = this.#calls.filter((call) => hasEnded(call, ms)).length;
    return {
      takenMs: clock(ms),
      uptimeSeconds: Math.floor((ms - envoyBornMs) / 1_000),
      removedListeners: 0,
      ports: new Map([[envoyPort, { ended, chains: counts }]]),
    };
  }

  /** A flush each second, which comes 10 ms later, and all that is told from half a second before the first of them until the last. */
  run({
    firstMs,
    lastMs,
    clock = (ms) => ms,
    account = new ConnectionAccount(),
    onTake,
  }: Run): Ran {
    const rows: CountedCoverage[] = [];
    let count = 0;
    const steps: { readonly atMs: number; readonly take: () => void }[] = [];
    for (const call of this.#calls) {
      const { fromMs, toMs, beginToldMs: beginMs, endToldMs: endMs } = call;
      const startMs = clock(fromMs);
      if (beginMs !== undefined) {
        const told = toldOf(call, startMs, clock(beginMs));
        const take = (): void => void (count += account.opened(told, clock(beginMs)));
        steps.push({ atMs: beginMs, take });
      }
      if (endMs !== undefined) {
        // Envoy adds what a clock says that nobody sets.
        const told = toldOf(call, startMs, startMs + toMs - fromMs);
        const take = (): void => void (count += account.ended(told, clock(endMs)));
        steps.push({ atMs: endMs, take });
      }
    }
    for (let ms = firstMs; ms <= lastMs; ms += 1_000) {
      const take = (): void => {
        assert.ok(account.flush(this.flush(ms, clock), clock(ms + 10)));
        rows.push(...account.take().coverage);
        onTake?.(rows, ms);
      };
      steps.push({ atMs: ms + 10, take });
    }
    const heard = steps.filter(({ atMs }) => atMs >= firstMs - 500 && atMs <= lastMs + 10);
    for (const { take } of heard.toSorted((a, b) => a.atMs - b.atMs)) take();
    return { account, rows, count };
  }

  #counts(name: string, ms: number): ChainCounts {
    const gone = this.#absences.filter(
      ({ chains, fromMs }) => chains.includes(name) && fromMs <= ms,
    );
    if (gone.some(({ toMs }) => ms < toMs)) return { ended: 0, open: 0 };
    const sinceMs = Math.max(0, ...gone.map(({ toMs }) => toMs));
    const mine = this.#calls.filter(({ chain, fromMs }) => chain === name && fromMs >= sinceMs);
    const ended = mine.filter((call) => hasEnded(call, ms)).length;
    const open = mine.filter(({ fromMs, toMs }) => fromMs <= ms && toMs > ms).length;
    return { ended, open: name === noChain ? 0 : open };
  }
}

export function lostOf(rows: readonly CountedCoverage[]): { unmeshed: number; meshed: number } {
  const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
  return {
    unmeshed: sum(rows.map(({ lostUnmeshed }) => lostUnmeshed)),
    meshed: sum(rows.map(({ lostMeshed }) => lostMeshed)),
  };
}

function hasEnded({ toMs, lagMs = 0 }: Call, ms: number): boolean {
  return toMs + lagMs <= ms;
}

function toldOf({ id, chain }: Call, firstMs: number, lastMs: number): ToldConnection {
  const kind = chain.startsWith("mtls") ? "mtls" : "plaintext";
  const source = { kind: "address", address: "10.0.0.1" } as const;
  const seen = { port: envoyPort, kind, isRefused: false, source, firstMs, lastMs } as const;
  return { id, chain, seen: { ...seen, count: 1, claim: "" } };
}
