/**
 * What the log says of a rotation's commands: each before it is carried out, and each refusal, but of many refusals in a
 * short time only their number: a loop around a command must not fill the disk.
 */

import type { LogKeeper } from "./log-keeper.ts";

/** As the log has it. */
export interface Commanded {
  /** Claimed; "" for the server itself. */
  readonly operator: string;
  /** For example "root activate". */
  readonly subject: string;
  readonly detail: string;
}

const windowMs = 60_000;
const refusalsPerWindow = 10;

export class RotationEvents {
  readonly #keeper: Pick<LogKeeper, "event">;
  readonly #monotonicMs: () => number;
  #windowEndMs = -Infinity;
  #inWindow = 0;
  #unsaid = 0;

  constructor(keeper: Pick<LogKeeper, "event">, monotonicMs: () => number) {
    this.#keeper = keeper;
    this.#monotonicMs = monotonicMs;
  }

  /** Durable when it resolves. @throws LogError */
  async ordered({ operator, subject, detail }: Commanded): Promise<void> {
    await this.#keeper.event({ type: "command", operator, subject, detail });
  }

  /** @throws LogError */
  async refused(
    { operator, subject }: Commanded,
    refusal: { readonly code: string; readonly message: string },
  ): Promise<void> {
    const nowMs = this.#monotonicMs();
    if (nowMs >= this.#windowEndMs) {
      this.#windowEndMs = nowMs + windowMs;
      this.#inWindow = 0;
    }
    this.#inWindow += 1;
    if (this.#inWindow > refusalsPerWindow) {
      this.#unsaid += 1;
      return;
    }
    const before =
      this.#unsaid === 0 ? "" : `; ${this.#unsaid} refusals before it were not recorded`;
    this.#unsaid = 0;
    const { code: reason, message } = refusal;
    const detail = `${message}${before}`.slice(0, detailMax);
    await this.#keeper.event({ type: "command", operator, subject, reason, detail });
  }
}

/** Characters: the log takes 4,096 octets. */
const detailMax = 1_000;
