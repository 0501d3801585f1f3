/**
 * What the server does by itself for a rotation, each second: it goes on with what the operator's files began, notes when
 * everybody holds the bundle without what was retired, and makes up for what failed.
 */

import { equalBytes } from "../../../core/bytes.ts";
import type { RotationCommand } from "../../../core/trust/rotation.ts";
import { automaticCommand } from "../../../core/trust/plugged-trust.ts";
import {
  authorityIn,
  awaitsConfirmation,
  isRotating,
  type TrustState,
} from "../../../core/trust/trust-state.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";
import { failureFields } from "../failure-fields.ts";
import type { ReloadRefusal } from "../reload-refusals.ts";
import { RefusedAttempts } from "./refused-attempts.ts";
import type { Rotation } from "./rotation.ts";
import type { Waivers } from "./waivers.ts";

export interface RotationAutoDependencies {
  readonly state: () => TrustState;
  readonly rotation: Pick<Rotation, "order" | "decide">;
  /** That the operator's files are to sign under, as they were read last. */
  readonly filedRoot: () => Uint8Array | undefined;
  /** Makes up for what failed: stored, and not in force; destroyed, and not overwritten. */
  readonly settle: () => Promise<void>;
  readonly waivers: Pick<Waivers, "prune" | "end" | "current">;
  readonly log: Logger;
}

const intervalMs = 1_000;

export class RotationAuto implements AsyncDisposable {
  readonly #dependencies: RotationAutoDependencies;
  readonly #timer: NodeJS.Timeout;
  /** One step after the other. */
  #step: Promise<void> | undefined;
  #isClosed = false;
  /** A server that ended at the end of a rotation may not have come to its waivers. */
  #wasOn = true;
  #said = "";
  readonly #attempts: RefusedAttempts;

  constructor(dependencies: RotationAutoDependencies) {
    this.#dependencies = dependencies;
    this.#attempts = new RefusedAttempts(dependencies);
    this.#timer = setInterval(() => void this.step(), intervalMs).unref();
  }

  /** For `root status`: what is done next without being told, and what that waits for. "" for nothing. */
  get automatic(): string {
    const command = automaticCommand(this.#dependencies.state());
    if (command === undefined) return "";
    const decision = this.#dependencies.rotation.decide(command, 1);
    const refusal =
      decision.kind === "refused" ? decision.refusal : this.#attempts.refusalOf(command);
    const waits = refusal && `waits (${refusal.code}): ${refusal.message}`;
    return `${command.kind}: ${waits ?? "now"}`;
  }

  /** What was refused may be there now. */
  retry(): void {
    this.#attempts.forget();
  }

  /** For `status`: what lies on disk and does not sign yet. */
  get waiting(): readonly ReloadRefusal[] {
    const { state, filedRoot } = this.#dependencies;
    const [prepared, filed] = [authorityIn(state(), "prepared"), filedRoot()];
    const isFiled = filed !== undefined && prepared && equalBytes(prepared.root, filed);
    const detail = this.automatic;
    if (!isFiled || detail === "") return [];
    const hint = "portcullis root status";
    return [{ part: "ca", reason: "rotation-waits", detail, hint, sinceMs: prepared.sinceMs }];
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
    const foreseen = rotation.decide(command, 1);
    if (foreseen.kind === "refused") return this.#attempts.sayHindered(command, foreseen.refusal);
    if (this.#attempts.isResting(command)) return;
    const subject = `root ${command.kind}`;
    const order = { command, operator: "", subject, detail: "as its gate is open", isTrial: true };
    const decision = await rotation.order(order);
    if (decision.kind === "done") {
      log.warn({ event: "root-changed", subject, operator: "" }, "roots changed");
    } else this.#attempts.refused(command, decision.refusal);
  }
}

function confirmation(state: TrustState): RotationCommand | undefined {
  return awaitsConfirmation(state) ? { kind: "confirm" } : undefined;
}
