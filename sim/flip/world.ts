/** A simulated mesh in which targets go strict: workloads with Envoys and agents, callers, a server that may be killed, and a clock. */

import { refKey } from "../../src/core/resources/policy-object.ts";
import type { ResourceRef } from "../../src/core/resources/resource.ts";
import { Random } from "../run/random.ts";
import { Crash } from "../server/crash.ts";
import { crowd } from "./calls.ts";
import type { Caller } from "./caller.ts";
import { Disk, type StoredObject } from "./disk.ts";
import { Links } from "./links.ts";
import { plaintextRule } from "./mesh-objects.ts";
import { Plan } from "./plan.ts";
import type { Pod } from "./pod.ts";
import { addCaller, addPod } from "./population.ts";
import { settle } from "./settle.ts";
import type { Server } from "./server.ts";
import { newProcess } from "./server-process.ts";
import { Timeline } from "./timeline.ts";
import { Truth } from "./truth.ts";
import { Watch } from "./watch.ts";

/** Some day of some year: hours begin and end in it. */
const beginMs = 1_800_000_000_000 - 90_000;

export class FlipWorld {
  readonly random: Random;
  readonly timeline: Timeline = new Timeline(beginMs);
  readonly disk: Disk = new Disk(beginMs);
  readonly truth: Truth = new Truth();
  readonly plan: Plan;
  readonly watch: Watch;
  readonly links: Links;
  readonly pods: Pod[] = [];
  readonly callers: Caller[] = [];
  server: Server | undefined;
  #rulesSinceMs = beginMs;
  events = 0;
  readonly counts: Map<string, number> = new Map();
  say: (text: string) => void = () => {};

  constructor(random: Random) {
    this.random = random;
    this.plan = new Plan(random);
    this.watch = new Watch(this);
    this.links = new Links(this);
    for (const stored of this.plan.objects) {
      this.disk.objects.set(refKey(stored.object.object.ref), stored);
    }
    this.startServer();
    for (const names of this.plan.pods) addPod(this, names);
    for (const caller of this.plan.callers) addCaller(this, caller);
    if (!this.plan.isCrowded) return;
    this.run(5_000);
    crowd(this);
  }

  get nowMs(): number {
    return this.timeline.nowMs;
  }

  get there(): readonly Pod[] {
    return this.pods.filter(({ isGone }) => !isGone);
  }

  /** Clients are told to send plaintext. */
  get isPlaintextRule(): boolean {
    return this.disk.objects.has(refKey(plaintextRule.object.ref));
  }

  /** Since when; Infinity for those that are not. */
  get plaintextRuleSinceMs(): number {
    return this.isPlaintextRule ? this.#rulesSinceMs : Infinity;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  run(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const happen = this.timeline.next(untilMs);
      if (happen === undefined) return;
      happen();
      this.events++;
    }
  }

  /** What a process of the server does may be the last thing that it does. @returns whether it is there still */
  inServer(work: (server: Server) => void): boolean {
    const { server } = this;
    if (server === undefined) return false;
    try {
      work(server);
      return true;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.say("the server is killed at a write");
      this.count(`killed ${this.disk.plan.text}`);
      this.killServer();
      return false;
    }
  }

  startServer(): void {
    this.disk.plan.disarm();
    const server = newProcess(this);
    this.server = server;
    this.say("the server starts");
    this.watch.started(server);
    for (const pod of this.there) this.links.dial(pod);
  }

  killServer(): void {
    this.server = undefined;
    for (const pod of this.pods) this.links.cut(pod);
  }

  /** @param forgets what the server has acknowledged */
  killAgent(pod: Pod, forgets = false): void {
    this.links.cut(pod);
    pod.killAgent(forgets);
  }

  startAgent(pod: Pod, isForgetful: boolean): void {
    this.truth.mayTellAgain(pod.name, this.nowMs);
    pod.startAgent(isForgetful);
    this.links.dial(pod);
  }

  /** Orderly: it says goodbye where somebody hears it, and its connections end. */
  endPod(pod: Pod): void {
    pod.traffic.terminate();
    if (pod.talk.link !== undefined) this.inServer((server) => server.goodbye(pod.name));
    this.killAgent(pod);
    pod.restartEnvoy(false);
    pod.isGone = true;
  }

  /** By an operator. @returns whether it was done */
  apply(ref: ResourceRef, stored: StoredObject | undefined): boolean {
    if (ref.kind === "DestinationRule") this.#rulesSinceMs = this.nowMs;
    return this.inServer((server) => server.put(ref, stored));
  }

  settle(): void {
    settle(this);
  }
}
