/**
 * An agent's stream to the server. Each end learns of its breaking by itself: a server may think for long that somebody is there,
 * and an agent comes back as soon as it can.
 */

import type { EvidenceReport, ProxyEvidence } from "../../src/core/roll/evidence.ts";
import type { TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import type { Session } from "../server/sessions.ts";
import type { Agent } from "./agent.ts";
import { Pipe, Task } from "./pipe.ts";

export type UpMessage =
  | { readonly kind: "hello"; readonly agentMs: number }
  | { readonly kind: "report"; readonly report: EvidenceReport }
  | { readonly kind: "goodbye" };

export type DownMessage =
  | { readonly kind: "bundle"; readonly bundle: TrustBundle }
  | { readonly kind: "renew" };

/** What a report says of the agent itself. */
export type HeldBundle = Pick<EvidenceReport, "heldRootsDigest" | "heldBundleSequence">;

type Entry = readonly [string, ProxyEvidence];

export class MeshLink {
  readonly agent: Agent;
  readonly up: Pipe<UpMessage>;
  readonly down: Pipe<DownMessage>;
  readonly dial: Task;
  readonly report: Task;
  /** As the agent sees it. */
  isOpen = false;
  /** Something has come down this stream, so it is known to be open. */
  #isHeard = false;
  #isNews = false;
  /** A new certificate wants a new stream. */
  #isStale = false;
  #session: Session | undefined;
  #told: readonly string[] | undefined;
  #toldHeld: HeldBundle = {};
  #away: ReadonlySet<string> = new Set();
  #sequence = 0n;

  constructor(agent: Agent) {
    this.agent = agent;
    const { world } = agent;
    this.up = new Pipe(
      () => !agent.isCut && world.server.isUp,
      (message) => {
        if (this.#session !== undefined) world.server.sessions.receive(this.#session, message);
      },
    );
    this.down = new Pipe(
      () => agent.isReachable,
      (message) => this.#receive(message),
    );
    this.dial = new Task(
      () => (!this.isOpen || this.#isStale) && this.#mayDial(),
      () => this.#dial(),
    );
    this.report = new Task(
      () => this.#isNews && this.#isHeard && agent.isServing,
      () => this.#tell(),
    );
  }

  evidenceChanged(): void {
    this.#isNews = true;
  }

  setChanged(isNewLeaf: boolean): void {
    if (isNewLeaf) this.#isStale = true;
  }

  /** The connection is gone; the server has still to notice. @returns whether anything was lost */
  break(): boolean {
    if (this.#session !== undefined) this.#session.isBroken = true;
    this.#session = undefined;
    this.isOpen = false;
    this.#isHeard = false;
    const lostUp = this.up.lose();
    return this.down.lose() || lostUp;
  }

  /** The agent's process has ended. */
  reset(): void {
    this.break();
    this.#isNews = false;
    this.#isStale = false;
  }

  /** Another process begins: the last word of the one before may still be on its way, until there is a new stream. */
  begin(): void {
    const isGoodbye = this.#session !== undefined && this.up.length > 0;
    if (!isGoodbye) return this.reset();
    this.isOpen = false;
    this.#isHeard = false;
    this.#isNews = false;
    this.#isStale = false;
  }

  /** The last word of a process that ends; the stream stays until it is read. */
  goodbye(): void {
    this.#isNews = false;
    this.down.lose();
    if (this.isOpen) this.up.send({ kind: "goodbye" });
  }

  #mayDial(): boolean {
    const { agent } = this;
    const { server } = agent.world;
    return (
      agent.isReachable &&
      server.isUp &&
      agent.set !== undefined &&
      agent.isValid &&
      agent.acceptsServer() &&
      server.sessions.admits(agent.set.leaf)
    );
  }

  #dial(): void {
    const { agent } = this;
    const leaf = agent.set?.leaf;
    if (leaf === undefined) return;
    this.break();
    this.#isStale = false;
    this.isOpen = true;
    this.#told = undefined;
    this.#away = new Set();
    this.#isNews = true;
    this.#session = agent.world.server.sessions.open(this, leaf);
    this.up.send({ kind: "hello", agentMs: agent.agentMs });
    agent.dialled();
  }

  #receive(message: DownMessage): void {
    this.#isHeard = true;
    if (message.kind === "bundle") return this.agent.takeBundle(message.bundle);
    for (const workload of this.agent.workloads) workload.renewNow();
  }

  /** As `src/app/agent/mesh-report.ts`: who is away is told first with what it had, and then as gone; the agent's own word comes last. */
  #tell(): void {
    this.#isNews = false;
    const { agent } = this;
    const here = agent.evidence();
    const remembered = agent.memory.look(here, agent.agentMs);
    const isNews = ([key]: Entry) => !here.has(key) && !this.#away.has(key);
    const leaving = new Map([...remembered].filter(isNews));
    const gone = this.#told?.filter((key) => !here.has(key) && !leaving.has(key)) ?? [];
    const proxies = [...here].map(([key, proxy]) => remembered.get(key) ?? proxy);
    const full = this.#told === undefined;
    const before = full ? {} : this.#toldHeld;
    this.#toldHeld = agent.heldBundle;
    this.#told = [...here.keys()];
    this.#away = new Set([...remembered.keys()].filter((key) => !here.has(key)));
    const isOne = leaving.size === 0;
    const all = [...proxies, ...leaving.values()];
    this.#send({ full, proxies: all, gone }, isOne ? this.#toldHeld : before);
    if (!isOne) {
      this.#send({ full: false, proxies: [], gone: [...leaving.keys()] }, this.#toldHeld);
    }
  }

  #send(report: Pick<EvidenceReport, "full" | "proxies" | "gone">, held: HeldBundle): void {
    const sequence = ++this.#sequence;
    this.up.send({ kind: "report", report: { sequence, ...report, ...held } });
  }
}
