/** What must hold in a simulated mesh in which targets go strict, looked at from outside. */

import type { ConnectionAck } from "../../src/edge/rpc/connection-messages.ts";
import type { Flip } from "../../src/core/flip/flip.ts";
import { encodeFlip } from "../../src/core/flip/flip-codec.ts";
import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import { serverMode } from "../../src/core/policy/server-mode.ts";
import { Violation } from "../world/violation.ts";
import { CallsCheck } from "./calls-check.ts";
import { hasOwnPolicy } from "./concerned.ts";
import { assertEndsInTime, assertMayBeOver } from "./end-check.ts";
import { heldNaively } from "./held-naively.ts";
import { apiPorts, namespace } from "./mesh-objects.ts";
import { assertMayEnd, assertMayRevert } from "./revert-check.ts";
import type { Server } from "./server.ts";
import { assertInForce, assertMayBegin, assertMayOpen } from "./stage-check.ts";
import type { FlipWorld } from "./world.ts";

const labels: ReadonlyMap<string, string> = new Map([["app", "api"]]);

export class Watch {
  readonly #world: FlipWorld;
  readonly #calls: CallsCheck;
  /** Flips that an operator has taken back. */
  readonly ordered: Set<number> = new Set();
  /** Flips that were taken back, each once. */
  readonly #reverted = new Set<number>();
  /** The process of the server that is there. */
  #startedMs = 0;

  constructor(world: FlipWorld) {
    this.#world = world;
    this.#calls = new CallsCheck(world);
  }

  /** A process of the server goes on as the last durable line says, before it tells anybody anything. */
  started(server: Server): void {
    const { disk, nowMs } = this.#world;
    const { flips } = disk;
    this.#startedMs = nowMs;
    const now = server.flips.all.map((flip) => encodeFlip(flip));
    if (now.join("\n") !== [...flips.values()].join("\n"))
      throw new Violation("a server does not go on with the flips that are durable");
    this.decided(server);
  }

  /** A step of a flip is in the store. */
  durable(flip: Flip, before: Flip | undefined, server: Server): void {
    const { log } = this.#world.disk;
    const document = encodeFlip(flip);
    if (!log.includes(`${flip.id} ${document}`))
      throw new Violation("a step of a flip is in the store, and not in the log");
    const { state, opened } = flip;
    this.#count(flip, before);
    this.#world.say(`flip ${flip.id} of ${flip.target.text}: ${describe(flip)}`);
    if (before === undefined) {
      return assertMayBegin(this.#world, server, flip);
    }
    if (opened.length < before.opened.length)
      throw new Violation("a stage that was open is not any more");
    if (opened.length > before.opened.length) assertMayOpen({ world: this.#world, server, before });
    const isNowInForce = opened.at(-1)?.inForceMs !== before.opened.at(-1)?.inForceMs;
    if (isNowInForce && opened.length === before.opened.length)
      assertInForce(this.#world, server, flip);
    assertMayEnd(this.#world, server, flip);
    assertMayBeOver(this.#world, server, flip);
    if (state.kind === "reverting") {
      if (this.#reverted.has(flip.id)) throw new Violation("a flip is taken back twice");
      this.#reverted.add(flip.id);
      assertMayRevert(this.#world, flip);
    }
  }

  #count({ state, opened }: Flip, before: Flip | undefined): void {
    const world = this.#world;
    const cause = state.kind === "reverting" ? ` (${state.cause.kind})` : "";
    if (before === undefined) world.count("flip begun");
    else if (before.state.kind !== state.kind) world.count(`flip ${state.kind}${cause}`);
    if (opened.length > (before?.opened.length ?? 0)) world.count("stage opened");
  }

  /** Nobody is to be told anything else than what the objects and the durable flips say. */
  decided(server: Server): void {
    const { peers } = server.view.mesh;
    const isHeldNaively = heldNaively(this.#world.disk);
    const isOwn = new Map(apiPorts.map((port) => [port, hasOwnPolicy(server, port)]));
    for (const { name, app } of this.#world.there) {
      if (app !== "api") continue;
      for (const port of apiPorts) {
        const { mode } = serverMode(peers, { namespace, labels }, port);
        const isHeld = isHeldNaively(`${namespace}/${name}`, port, isOwn.get(port) === true);
        const wanted = mode === "strict" && isHeld ? "permissive" : mode;
        const decided = server.policy.modeOf(name, port);
        const isKnown = server.policy.told.has(name) || server.policy.expected.has(name);
        if (isKnown && decided !== wanted)
          throw new Violation(`${name}:${port} is to be ${decided}, and not ${wanted}`);
      }
    }
    this.#calls.decided();
    for (const flip of server.flips.all) assertEndsInTime(this.#world, flip, this.#startedMs);
  }

  pushed(name: string, policy: ProxyPolicy): void {
    const { inbound, clusters } = policy;
    const pod = this.#world.there.find((each) => each.name === name);
    if (pod !== undefined) this.#calls.told(pod, policy);
    const sends = clusters.flatMap(({ endpoints }) =>
      endpoints.map(({ address, port, sends: what }) => `${what} to ${address}:${port}`),
    );
    const ports = inbound.map(({ port, mode }) => `${port} ${mode}`);
    this.#world.say(`${name} is sent ${[...ports, ...sends].join(", ")}`);
    const { server, disk } = this.#world;
    const isHeldNaively = heldNaively(disk);
    for (const { port, mode } of inbound) {
      if (mode !== "strict" || server === undefined) continue;
      if (isHeldNaively(`${namespace}/${name}`, port, hasOwnPolicy(server, port)))
        throw new Violation(`${name}:${port} is told STRICT, and its stage is not open`);
    }
  }

  /** What an Envoy does may be another. */
  changed(): void {
    this.#calls.check();
  }

  /** What is acknowledged is durable. */
  acknowledged(name: string, { runId, sequence }: ConnectionAck): void {
    if (!this.#world.disk.told.hasReport(runId, sequence))
      throw new Violation(`a report of ${name} is acknowledged, and not durable`);
  }

  /** Whose address is whose, by the configuration. */
  holdersChanged(): void {
    const { disk, truth, nowMs } = this.#world;
    for (const { object } of disk.objects.values()) {
      if (object.kind !== "WorkloadEntry") continue;
      truth.holds(`${namespace}/${object.object.ref.name}`, object.object.address, nowMs);
    }
  }
}

function describe({ state, opened }: Flip): string {
  const stage = opened.at(-1);
  const workloads = stage?.workloads.join(" ") || "all";
  const force = stage?.inForceMs === undefined ? "" : ", in force";
  const cause = "cause" in state ? ` because of ${JSON.stringify(state.cause)}` : "";
  const why = "why" in state ? ` (${state.why})` : "";
  return `${state.kind}${cause}${why}${stage === undefined ? "" : `; ${workloads}${force}`}`;
}
