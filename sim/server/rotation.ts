/**
 * The interpreter of rotations, as `src/app/server/rotation/rotation.ts` and `trust-changes.ts` have it, with every wait as a step of its own: foreseen
 * (and its key proved), asked, recorded, alone, decided and stored, said in the log, in force and published.
 */

import { decideRotation } from "../../src/core/trust/rotation-machine.ts";
import {
  judgePluggedAuthority,
  type PluggedAuthority,
} from "../../src/core/trust/plugged-trust.ts";
import type {
  NewAuthority,
  RotationCommand,
  RotationDecision,
} from "../../src/core/trust/rotation.ts";
import type { Worker } from "../world/pipe.ts";
import { keyIdOf } from "../world/symbols.ts";
import type { Server } from "./server.ts";

/** What operators order, and what they bring by files. */
export type Order =
  | RotationCommand
  | { readonly kind: "files"; readonly plugged: PluggedAuthority };

type Step = "foresee" | "ask" | "record" | "decide" | "say" | "enforce";

export class RotationOperation implements Worker {
  readonly #server: Server;
  #command: Order | undefined;
  #step: Step = "foresee";
  /** How often its turn comes before it goes on: a commit of the log may take long. */
  #patience = 0;

  constructor(server: Server) {
    this.#server = server;
  }

  get isReady(): boolean {
    if (!this.#server.isUp || this.#command === undefined) return false;
    return this.#step !== "decide" || this.#server.issuance.inFlight === 0;
  }

  get isBusy(): boolean {
    return this.#command !== undefined;
  }

  /** What is stored is not in force yet. */
  get isBetween(): boolean {
    return this.#step === "say" || this.#step === "enforce";
  }

  /** Nothing is signed meanwhile. */
  get isAlone(): boolean {
    return this.#step === "decide" || this.isBetween;
  }

  /** One at a time: whoever comes meanwhile waits in another process, and is not modelled. */
  order(command: Order): boolean {
    if (this.#command !== undefined || !this.#server.isUp) return false;
    this.#command = command;
    this.#step = "foresee";
    return true;
  }

  step(): void {
    const command = this.#command;
    if (command === undefined || this.#patience-- > 0) return;
    const server = this.#server;
    switch (this.#step) {
      case "foresee":
        return this.#foresee(command);
      case "ask":
        if (this.#decide(command)?.kind === "done") return this.#go("record");
        return this.#refused();
      case "record":
        server.write("command", () => server.log.event());
        return this.#go("decide");
      case "decide":
        return this.#store(command);
      case "say":
        server.write("trust-said", () => server.log.event());
        return this.#go("enforce");
      case "enforce":
        server.enforce();
        return this.#end();
    }
  }

  reset(): void {
    this.#end();
  }

  #foresee(command: Order): void {
    const decision = this.#decide(command);
    const outcome = decision === undefined ? "nothing" : outcomeOf(decision);
    this.#server.world.coverage.asked(command.kind, outcome);
    this.#server.world.say?.(`root ${command.kind}: ${outcome}`);
    if (decision?.kind === "done") this.#go("ask");
    else this.#refused();
  }

  /** @returns undefined where there is nothing to change */
  #decide(command: Order): RotationDecision | undefined {
    if (command.kind !== "files") return this.#rotate(command);
    const judged = judgePluggedAuthority(this.#server.trust, command.plugged, keyIdOf);
    switch (judged.kind) {
      case "unchanged":
      case "stale":
        return undefined;
      case "prepare":
        return this.#rotate(judged.command);
      case "refused":
        return judged;
      case "chain":
      case "roots":
      default:
        return { ...judged, kind: "done" };
    }
  }

  #rotate(command: RotationCommand): RotationDecision {
    const server = this.#server;
    const evidence = {
      verifiers: () => server.gates.verifiers(),
      holders: server.gates.holders,
      filedRoots: server.filedRoots,
      endsAtMs: ({ root }: NewAuthority) => server.world.endsAtMs(root),
      keyIdOf,
      lifeMs: { longest: server.lifeMs, usual: server.lifeMs },
    };
    return decideRotation(server.trust, command, evidence, server.nowMs);
  }

  /** Whoever came meanwhile may have closed the gate. */
  #store(command: Order): void {
    const server = this.#server;
    const decision = this.#decide(command);
    if (decision?.kind !== "done") return this.#refused();
    if (command.kind === "files") server.filedRoots = command.plugged.roots;
    server.world.watch.decided(command, server.trust, decision.state);
    server.write("trust-change", () => server.durable.replace(decision));
    server.world.say?.(`root ${command.kind} is stored`);
    this.#go("say");
  }

  #refused(): void {
    this.#server.log.event();
    this.#end();
  }

  #go(step: Step): void {
    this.#step = step;
    this.#patience = this.#server.below(4) === 0 ? this.#server.below(24) : 0;
  }

  #end(): void {
    this.#command = undefined;
    this.#step = "foresee";
    this.#patience = 0;
  }
}

function outcomeOf(decision: RotationDecision): string {
  return decision.kind === "done" ? "done" : decision.refusal.code;
}
