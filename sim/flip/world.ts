/** A simulated mesh in which targets go strict: workloads with Envoys and agents, callers, a server that may be killed, and a clock. */

import { portKeysMax } from "../../src/core/evidence/connection-tally.ts";
import type { PolicyObject } from "../../src/core/resources/policy-object.ts";
import { refKey } from "../../src/core/resources/policy-object.ts";
import type { ResourceRef } from "../../src/core/resources/resource.ts";
import { Random } from "../run/random.ts";
import { Crash } from "../server/crash.ts";
import type { Caller } from "./caller.ts";
import { Disk, type StoredObject } from "./disk.ts";
import type { Call } from "./envoy-traffic.ts";
import { Link } from "./link.ts";
import { apiPorts, namespace, plaintextRule, workloadObject } from "./mesh-objects.ts";
import { Plan } from "./plan.ts";
import { Pod } from "./pod.ts";
import { settle } from "./settle.ts";
import { Server } from "./server.ts";
import { Timeline } from "./timeline.ts";
import { Truth } from "./truth.ts";
import { Watch } from "./watch.ts";

/** Some day of some year: hours begin and end in it. */
const beginMs = 1_800_000_000_000 - 90_000;
const reportIntervalMs = 10_000;

export class FlipWorld {
  readonly random: Random;
  readonly timeline: Timeline = new Timeline(beginMs);
  readonly disk: Disk = new Disk(beginMs);
  readonly truth: Truth = new Truth();
  readonly plan: Plan;
  readonly watch: Watch;
  readonly pods: Pod[] = [];
  readonly callers: Caller[] = [];
  server: Server | undefined;
  /** Nobody fails any more. */
  isHealed = false;
  events = 0;
  readonly counts: Map<string, number> = new Map();
  say: (text: string) => void = () => {};

  constructor(random: Random) {
    this.random = random;
    this.plan = new Plan(random);
    this.watch = new Watch(this);
    for (const object of this.plan.objects)
      this.disk.objects.set(keyOf(object.object.object), object);
    this.startServer();
    for (const names of this.plan.pods) this.addPod(names);
    for (const caller of this.plan.callers) this.addCaller(caller);
    if (this.plan.isCrowded) crowd(this);
  }

  get nowMs(): number {
    return this.timeline.nowMs;
  }

  get there(): readonly Pod[] {
    return this.pods.filter(({ isGone }) => !isGone);
  }

  /** Clients are told to send plaintext. */
  get isPlaintextRule(): boolean {
    return this.disk.objects.has(keyOf(plaintextRule.object));
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
    const server: Server = new Server({
      disk: this.disk,
      timeline: this.timeline,
      later: (ms, work) =>
        this.timeline.after(ms, () => {
          if (this.server === server) this.inServer(work);
        }),
      delayMs: () => this.random.below(200),
      hasCertificate: (name) => this.pods.some((pod) => pod.name === name && !pod.isGone),
      onDurable: (flip, before) => this.watch.durable(flip, before, server),
      onDecided: () => this.watch.decided(server),
      onPush: (name, policy) => this.watch.pushed(name, policy),
      sendPolicy: (link, policy) =>
        link.send("down", () => this.#podOf(link)?.receivePolicy(policy)),
    });
    this.server = server;
    this.say("the server starts");
    this.watch.started(server);
    for (const pod of this.there) this.#dial(pod);
  }

  killServer(): void {
    this.server = undefined;
    for (const { link } of this.pods) if (link !== undefined) this.cut(link);
  }

  /** Each side notices by and by. */
  cut(link: Link): void {
    link.isCut = true;
    const pod = this.#podOf(link);
    const { server } = this;
    if (pod === undefined) return;
    this.timeline.after(this.random.below(2_000), () => {
      if (this.server === server) this.inServer((it) => it.closed(pod.name, link));
    });
    this.timeline.after(this.random.below(2_000), () => {
      pod.disconnected(link);
      this.#dial(pod);
    });
  }

  /** @param forgets what the server has acknowledged */
  killAgent(pod: Pod, forgets = false): void {
    if (pod.link !== undefined) this.cut(pod.link);
    pod.killAgent(forgets);
  }

  /** Orderly: it says goodbye where somebody hears it, and its connections end. */
  endPod(pod: Pod): void {
    pod.traffic.terminate();
    if (pod.link !== undefined) this.inServer((server) => server.goodbye(pod.name));
    this.killAgent(pod);
    pod.restartEnvoy(false);
    pod.isGone = true;
  }

  startAgent(pod: Pod, isForgetful: boolean): void {
    this.truth.mayTellAgain(pod.name, this.nowMs);
    pod.startAgent(isForgetful);
    this.#dial(pod);
  }

  addPod(names: Plan["pods"][number]): void {
    const { timeline, random } = this;
    const pod = new Pod(names, {
      timeline,
      random,
      protocolOf: (port) => this.plan.protocolOf(port),
      sayPolicy: (from, link, said) =>
        link.send("up", () => this.inServer((server) => server.policyReport(from, link, said))),
      sayConnections: (from, link, report) => {
        link.send("up", () =>
          this.inServer((server) =>
            server.connectionReport(from, link, report, (ack) => {
              link.send("down", () => {
                this.watch.acknowledged(from.name, ack);
                from.receiveAck(ack, reportIntervalMs);
              });
            }),
          ),
        );
      },
      onLost: ({ name }) => this.truth.mayTellAgain(name, this.nowMs),
      onChange: () => this.watch.changed(),
    });
    this.pods.push(pod);
    this.#apply(workloadObject({ ...names }));
    const flush = (): void => {
      if (pod.isGone) return;
      pod.flush();
      timeline.after(1_000, flush);
    };
    if (pod.app === "api") timeline.after(random.below(1_000), flush);
    else this.#callAtTimes(pod);
    this.#dial(pod);
  }

  addCaller(caller: Caller): void {
    this.callers.push(caller);
    if (caller.name !== "") this.#applyCaller(caller);
    const call = (): void => {
      if (caller.isCalling) this.callOne(caller);
      this.timeline.after(caller.periodMs * (0.8 + this.random.below(400) / 1_000), call);
    };
    this.timeline.after(this.random.below(caller.periodMs), call);
  }

  /** Its host and its entry change a moment apart. */
  move(caller: Caller, address: string): void {
    this.timeline.after(this.random.below(1_000), () => (caller.address = address));
    this.#applyCaller({ ...caller, address });
  }

  /** @param at undefined: any of those that serve */
  callOne({ kind, isHttp, claim, address, lastsMsMax }: Caller, at?: Pod): void {
    const servers = this.there.filter(({ app }) => app === "api");
    const pod = at ?? servers[this.random.below(Math.max(1, servers.length))];
    const port = apiPorts[this.random.below(apiPorts.length)] ?? 0;
    const lastsMs = this.random.below(lastsMsMax);
    if (pod === undefined) return;
    this.call(pod, { kind, address, port, isHttp, peerUri: "", isGood: true, lastsMs, claim });
  }

  call(pod: Pod, call: Call): ReturnType<Pod["traffic"]["connect"]> {
    let endedMs: number | undefined;
    let end = (): void => void (endedMs = this.nowMs);
    const { address, port, kind } = call;
    const beganMs = this.nowMs;
    const outcome = pod.traffic.connect(call, () => end());
    if (outcome === undefined || (kind === "mtls" && outcome === "taken")) return outcome;
    const told = { pod: pod.name, address, port, kind, outcome, beganMs, endedMs };
    const called = this.truth.called(told);
    end = () => {
      called.endedMs = this.nowMs;
      called.isEndLost = !pod.hears;
    };
    return outcome;
  }

  /** By an operator. @returns whether it was done */
  apply(ref: ResourceRef, stored: StoredObject | undefined): boolean {
    return this.inServer((server) => server.put(ref, stored));
  }

  settle(): void {
    this.isHealed = true;
    settle(this);
  }

  /** A pod dials until it has a stream. */
  #dial(pod: Pod): void {
    const isIdle = (): boolean => pod.link === undefined && !pod.isGone && pod.agent.isAlive;
    if (!isIdle()) return;
    this.timeline.after(20 + this.random.below(1_500), () => {
      const { server } = this;
      if (!isIdle() || server === undefined) return;
      const link = new Link(this.timeline, this.random);
      server.accept(pod.name, link);
      pod.connected(link);
    });
  }

  dial(pod: Pod): void {
    this.#dial(pod);
  }

  #podOf(link: Link): Pod | undefined {
    return this.pods.find((pod) => pod.link === link);
  }

  #applyCaller({ name, address }: Caller): void {
    this.#apply(workloadObject({ name, app: name, address, serviceAccount: undefined }));
  }

  /** Until it is done. */
  #apply(object: PolicyObject): void {
    const isDone = this.apply(object.object.ref, { object, manifest: undefined });
    this.watch.holdersChanged();
    if (!isDone) this.timeline.after(3_000, () => this.#apply(object));
  }

  /** What its Envoy is told to send, to everybody whom it may call. */
  #callAtTimes(pod: Pod): void {
    const { timeline, random } = this;
    timeline.after(2_000 + random.below(4_000), () => {
      if (pod.isGone) return;
      for (const { endpoints } of pod.envoy.clusters) {
        for (const { address, port, sends } of endpoints) {
          const server = this.there.find((each) => each.address === address);
          if (server === undefined) continue;
          const isGood = !pod.isBroken;
          const kind = sends === "plaintext" ? "plaintext" : "mtls";
          const from = {
            address: pod.address,
            peerUri: `spiffe://sim/ns/${namespace}/sa/${pod.name}`,
          };
          const rest = { isHttp: false, isGood, lastsMs: random.below(3_000), claim: "" };
          this.call(server, { ...from, kind, port, ...rest });
        }
      }
      this.#callAtTimes(pod);
    });
  }
}

/** More callers than an agent has room for: whoever comes later has no name. */
function crowd(world: FlipWorld): void {
  world.run(5_000);
  for (const pod of world.there) {
    if (pod.app !== "api") continue;
    for (const port of apiPorts) {
      for (let at = 0; at < portKeysMax; at++) {
        const address = `10.9.${at >> 8}.${at & 255}`;
        const rest = { isHttp: false, peerUri: "", isGood: true, lastsMs: 10, claim: "" };
        world.call(pod, { kind: "plaintext", address, port, ...rest });
      }
    }
  }
}

function keyOf({ ref }: { readonly ref: ResourceRef }): string {
  return refKey(ref);
}
