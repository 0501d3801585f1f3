/** Why what the server does by itself for a rotation does not go on: said in the log once, and tried again ever less often. */

import type { RotationCommand, RotationRefusal } from "../../../core/trust/rotation.ts";
import type { TrustState } from "../../../core/trust/trust-state.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";

export interface RefusedAttemptsDependencies {
  readonly state: () => TrustState;
  readonly log: Logger;
}

/** Steps that are left out after an attempt that was refused, which may ask an HSM: doubled each time. */
const restMax = 60;

export class RefusedAttempts {
  readonly #dependencies: RefusedAttemptsDependencies;
  #hindrance = "";
  /** One that was refused although nothing seemed to be in its way: nothing of it is known without trying. */
  #refused: Refused | undefined;

  constructor(dependencies: RefusedAttemptsDependencies) {
    this.#dependencies = dependencies;
  }

  /** What was refused may be there now. */
  forget(): void {
    this.#refused = undefined;
  }

  /** Of the last attempt, while the authorities are as they were. */
  refusalOf(command: RotationCommand): RotationRefusal | undefined {
    return this.#current(command)?.refusal;
  }

  /** Asked at each step. */
  isResting(command: RotationCommand): boolean {
    const refused = this.#current(command);
    return refused !== undefined && --refused.restLeft >= 0;
  }

  /** Before it is tried: what no gate opens. */
  sayHindered(command: RotationCommand, refusal: RotationRefusal): void {
    if (refusal.gate !== undefined) return;
    // Not by its words: there may be a time in them.
    const hindrance = `${command.kind} ${refusal.code} ${this.#shape}`;
    if (hindrance !== this.#hindrance) this.#say(command, refusal);
    this.#hindrance = hindrance;
  }

  refused(command: RotationCommand, refusal: RotationRefusal): void {
    const before = this.#current(command);
    if (before?.refusal.message !== refusal.message) this.#say(command, refusal);
    const next = before === undefined ? 1 : Math.min(2 * before.rest, restMax);
    // A token locks itself after a few wrong PINs.
    const rest = refusal.code === "key-pin-rejected" ? Infinity : next;
    this.#refused = { kind: command.kind, refusal, shape: this.#shape, rest, restLeft: rest };
  }

  #current({ kind }: RotationCommand): Refused | undefined {
    const isSame = this.#refused?.kind === kind && this.#refused.shape === this.#shape;
    return isSame ? this.#refused : undefined;
  }

  /** A denial is another state, and no reason to try again. */
  get #shape(): string {
    const { authorities } = this.#dependencies.state();
    return authorities.map(({ id, state }) => `${id} ${state}`).join();
  }

  #say({ kind }: RotationCommand, { code: reason, message: detail, hint }: RotationRefusal): void {
    const fields = { event: "rotation-refused", subject: `root ${kind}`, reason, detail, hint };
    this.#dependencies.log.warn(fields, "the rotation does not go on");
  }
}

interface Refused {
  readonly kind: RotationCommand["kind"];
  readonly refusal: RotationRefusal;
  readonly shape: string;
  /** Steps to be left out, and how many are left of them. */
  readonly rest: number;
  restLeft: number;
}
