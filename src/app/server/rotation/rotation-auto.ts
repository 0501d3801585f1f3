/**
 * What the server does by itself for a rotation, each second: it goes on with what the operator's files began, notes when
 * everybody holds the bundle without what was retired, and makes up for what failed.
 */

import type { RotationCommand, RotationDecision } from "../../../core/trust/rotation.ts";
import { automaticCommand } from "../../../core/trust/plugged-trust.ts";
import {
  isRotating,
  unconfirmedRetired,
  type TrustState,
} from "../../../core/trust/trust-state.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";
import { failureFields } from "../failure-fields.ts";
import type { ReloadRefusal } from "../reload-refusals.ts";
import type { Rotation } from "./rotation.ts";
import type { Waivers } from "./waivers.ts";

export interface RotationAutoDependencies {
  readonly state: () => TrustState;
  readonly rotation: Pick<Rotation, "order" | "decide">;
  /** Makes up for what failed: stored, and not in force; destroyed, and not overwritten. */
  readonly settle: () => Promise<void>;
  readonly waivers: Pick<Waivers, "prune" | "end" | "current">;
  readonly log: Logger;
}

const intervalMs = 1_000;
/** Steps that are left out after an attempt that was refused, which may ask an HSM: doubled each time. */
const restMax = 60;

export class RotationAuto implements AsyncDisposable {
  readonly #dependencies: RotationAutoDependencies;
  readonly #timer: NodeJS.Timeout;
  /** One step after the other. */
  #step: Promise<void> | undefined;
  #isClosed = false;
  /** A server that ended at the end of a rotation may not have come to its waivers. */
  #wasOn = true;
  #said = "";
  /** An attempt that was refused although its gate was open: nothing of it is known without trying. */
  #refused: Refused | undefined;

  constructor(dependencies: RotationAutoDependencies) {
    this.#dependencies = dependencies;
    this.#timer = setInterval(() => void this.step(), intervalMs).unref();
  }

  /** For `root status`: what is done next without being told, and what that waits for. "" for nothing. */
  get automatic(): string {
    const command = automaticCommand(this.#dependencies.state());
    if (command === undefined) return "";
    const decision = this.#dependencies.rotation.decide(command, 1);
    const refused = decision.kind === "done" ? this.#refusedNow(command) : undefined;
    return `${command.kind}: ${waitsFor(refused ?? decision)}`;
  }

  /** What was refused may be there now. */
  retry(): void {
    this.#refused = undefined;
  }

  /** For `status`: what lies on disk and does not sign yet. */
  get waiting(): readonly ReloadRefusal[] {
    const { state } = this.#dependencies;
    const detail = this.automatic;
    if (detail === "") return [];
    const sinceMs = Math.max(...state().authorities.map((each) => each.sinceMs));
    const hint = "portcullis root status";
    return [{ part: "ca", reason: "rotation-waits", detail, hint, sinceMs }];
  }

  /** Never rejects. */
  step(): Promise<void> {
    this.#step ??= this.#tryStep().finally(() => (this.#step = undefined));
    return this.#step;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#step;
  }

  async #tryStep(): Promise<void> {
    try {
      await this.#takeStep();
      this.#said = "";
    } catch (error) {
      const fields = { event: "rotation-failed", ...failureFields(error) };
      const isNews = this.#said !== fields.detail && !this.#isClosed;
      if (isNews) this.#dependencies.log.error(fields, "tried again");
      this.#said = fields.detail;
    }
  }

  async #takeStep(): Promise<void> {
    const { state, settle, waivers } = this.#dependencies;
    await settle();
    waivers.prune();
    const command = automaticCommand(state()) ?? confirmation(state());
    if (command !== undefined) await this.#try(command);
    if (isRotating(state())) this.#wasOn = true;
    else if (this.#wasOn) {
      waivers.end();
      this.#wasOn = false;
    }
  }

  async #try(command: RotationCommand): Promise<void> {
    const { rotation, log } = this.#dependencies;
    // Asked first, because it costs nothing: an order waits until nothing is being signed.
    if (rotation.decide(command, 1).kind === "refused") return;
    const before = this.#refusedNow(command);
    if (before !== undefined && --before.restLeft >= 0) return;
    const subject = `root ${command.kind}`;
    const order = { command, operator: "", subject, detail: "as its gate is open", isTrial: true };
    const decision = await rotation.order(order);
    if (decision.kind === "done") {
      log.warn({ event: "root-changed", subject, operator: "" }, "roots changed");
    } else this.#refuse(command, decision, before);
  }

  /** Of this command, and of the state as it is. */
  #refusedNow(command: RotationCommand): Refused | undefined {
    const shape = shapeOf(this.#dependencies.state());
    const isSame = this.#refused?.command === command.kind && this.#refused.shape === shape;
    return isSame ? this.#refused : undefined;
  }

  #refuse(
    { kind: command }: RotationCommand,
    { refusal }: Extract<RotationDecision, { kind: "refused" }>,
    before: Refused | undefined,
  ): void {
    const { state, log } = this.#dependencies;
    const { code: reason, message: detail, hint } = refusal;
    const isNews = before?.refusal.message !== detail;
    const fields = { event: "rotation-refused", subject: `root ${command}`, reason, detail, hint };
    if (isNews) log.warn(fields, "the rotation does not go on");
    const next = before === undefined ? 1 : Math.min(2 * before.rest, restMax);
    const rest = reason === "key-pin-rejected" ? Infinity : next;
    const shape = shapeOf(state());
    this.#refused = { kind: "refused", command, refusal, shape, rest, restLeft: rest };
  }
}

interface Refused extends Extract<RotationDecision, { kind: "refused" }> {
  readonly command: RotationCommand["kind"];
  readonly shape: string;
  /** Steps to be left out, and how many are left of them. */
  readonly rest: number;
  restLeft: number;
}

/** A denial is another state, and no reason to try again. */
function shapeOf({ authorities }: TrustState): string {
  return authorities.map(({ id, state }) => `${id} ${state}`).join();
}

function confirmation(state: TrustState): RotationCommand | undefined {
  const isOver = state.authorities.length === 1 && unconfirmedRetired(state).length > 0;
  return isOver ? { kind: "confirm" } : undefined;
}

function waitsFor(decision: RotationDecision): string {
  if (decision.kind === "done") return "now";
  return `waits (${decision.refusal.code}): ${decision.refusal.message}`;
}
