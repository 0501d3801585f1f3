/**
 * One proxy name: its ADS streams, and its streams of statistics. Two Envoys may have one name, in a hot restart or by mistake, and which
 * of them tells what is not known: then a port takes none where none of them takes any, and what both tell is added up.
 */

import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { OldConnections } from "../../../core/policy/policy-report.ts";
import { drainingOf, type Draining, type Flush, type Flushes } from "./draining.ts";
import type { GivenPolicy, OpenPolicy, PolicyFeed, PolicyUser } from "./policy-feed.ts";

export interface FlushSource {
  /** Undefined before the first. */
  flushes: Flushes | undefined;
}

interface Use {
  readonly given: Map<string, ProxyPolicy>;
  /** Ports whose acknowledged mode takes no plaintext, each with the time of the acknowledgement. */
  refusing: Map<number, number>;
  tell: Tell;
}

type Tell = (ports: ReadonlyMap<number, number>, old: OldConnections) => void;

const givenMax = 8;

export class DrainingProxy {
  readonly #nowMs: () => number;
  readonly #uses = new Set<Use>();
  readonly #sources = new Set<FlushSource>();
  #open: ReadonlyMap<number, number> = new Map();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get isOver(): boolean {
    return this.#uses.size === 0 && this.#sources.size === 0;
  }

  open(feed: PolicyFeed, user: PolicyUser): OpenPolicy {
    const use: Use = { given: new Map(), refusing: new Map(), tell: () => {} };
    const onPolicy = (given: GivenPolicy): void => {
      remember(use, given);
      user.onPolicy(given);
    };
    const opened = feed.open({ ...user, onPolicy });
    if (opened.given !== undefined) remember(use, opened.given);
    use.tell = opened.draining;
    this.#uses.add(use);
    return {
      ...opened,
      acked: (digest) => {
        opened.acked(digest);
        this.#acked(use, digest);
      },
      close: () => {
        this.#uses.delete(use);
        opened.close();
        this.#look();
      },
    };
  }

  addSource(source: FlushSource): void {
    this.#sources.add(source);
  }

  removeSource(source: FlushSource): void {
    this.#sources.delete(source);
    this.#look();
  }

  take(source: FlushSource, newest: Flush): void {
    const nowMs = this.#nowMs();
    // The clock was set back: nothing that was taken since can be told from what was taken before.
    for (const { refusing } of this.#uses) {
      for (const [port, ackedMs] of refusing) refusing.set(port, Math.min(ackedMs, nowMs));
    }
    if (newest.takenMs > nowMs) return;
    const { flushes } = source;
    // More of the newest may come.
    const isSame = flushes?.newest.takenMs === newest.takenMs;
    source.flushes = { before: isSame ? flushes.before : flushes?.newest, newest };
    this.#look();
  }

  #acked(use: Use, digest: string): void {
    const policy = use.given.get(digest);
    if (policy === undefined) return;
    const ports = refusingPorts(policy);
    const nowMs = this.#nowMs();
    use.refusing = new Map(ports.map((port) => [port, use.refusing.get(port) ?? nowMs]));
    this.#look();
  }

  #look(): void {
    const all = this.#drainings();
    // What was told stays until somebody knows better.
    if (all === undefined) return this.#tell("unobserved");
    const sum = new Map<number, number>();
    for (const [port, count] of all.flatMap(({ open }) => [...open])) {
      sum.set(port, (sum.get(port) ?? 0) + count);
    }
    this.#open = sum;
    this.#tell(all.every(({ isProven }) => isProven) ? "gone" : "unproven");
  }

  /** The feed adds up what it is told of all. */
  #tell(old: OldConnections): void {
    const [first, ...others] = this.#uses;
    first?.tell(this.#open, old);
    for (const { tell } of others) tell(new Map(), old);
  }

  /** Of all sources; undefined while there are fewer than streams whose connections they could be of. */
  #drainings(): Draining[] | undefined {
    const told = [...this.#sources].flatMap(({ flushes }) => flushes ?? []);
    if (this.#uses.size === 0 || told.length < this.#uses.size) return undefined;
    const refusing = this.#refusing();
    return told.map((flushes) => drainingOf(flushes, refusing));
  }

  /** Ports that take no plaintext at any of them, each with the last time of an acknowledgement. */
  #refusing(): Map<number, number> {
    const all = [...this.#uses].map(({ refusing }) => refusing);
    const [first = new Map<number, number>()] = all;
    const shared = [...first.keys()].filter((port) => all.every((each) => each.has(port)));
    return new Map(
      shared.map((port) => [port, Math.max(...all.map((each) => each.get(port) ?? 0))]),
    );
  }
}

function remember(use: Use, { digest, policy }: GivenPolicy): void {
  use.given.delete(digest);
  use.given.set(digest, policy);
  const [oldest = digest] = use.given.keys();
  if (use.given.size > givenMax) use.given.delete(oldest);
  // Envoy may take a part of what it refuses: from now on such a port may be another.
  const ports = new Set(refusingPorts(policy));
  for (const port of use.refusing.keys()) if (!ports.has(port)) use.refusing.delete(port);
}

function refusingPorts({ inbound }: ProxyPolicy): number[] {
  return inbound.filter(({ mode }) => mode === "strict").map(({ port }) => port);
}
