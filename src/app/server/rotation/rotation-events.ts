/**
 * What the log says of a rotation's commands: each before it is carried out, and each refusal, but of many refusals in a
 * short time only their number: a loop around a command must not fill the disk.
 */

import type { LogKeeper } from "../log/log-keeper.ts";

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
  readonly #keeper: Pick<LogKeeper, "event" | "eventAt">;
  readonly #monotonicMs: () => number;
  #windowEndMs = -Infinity;
  #inWindow = 0;
  #unsaid = 0;

  constructor(keeper: Pick<LogKeeper, "event" | "eventAt">, monotonicMs: () => number) {
    this.#keeper = keeper;
    this.#monotonicMs = monotonicMs;
  }

  /** Durable when it resolves. @returns its index in the log. @throws LogError */
  async ordered({ operator, subject, detail }: Commanded): Promise<number> {
    return await this.#keeper.eventAt({ type: "command", operator, subject, detail });
  }

  /** @param index of the order, where that stands in the log already. @throws LogError */
  async refused(
    { operator, subject }: Commanded,
    refusal: { readonly code: string; readonly message: string },
    index?: number,
  ): Promise<void> {
    const nowMs = this.#monotonicMs();
    if (nowMs >= this.#windowEndMs) {
      this.#windowEndMs = nowMs + windowMs;
      this.#inWindow = 0;
    }
    this.#inWindow += 1;
    // An order must not look as if it was carried out.
    if (this.#inWindow > refusalsPerWindow && index === undefined) {
      this.#unsaid += 1;
      return;
    }
    const before =
      this.#unsaid === 0 ? "" : `; ${this.#unsaid} refusals before it were not recorded`;
    this.#unsaid = 0;
    const { code: reason, message } = refusal;
    const order = index === undefined ? "" : `entry ${index} was not carried out: `;
    const detail = `${order}${message}${before}`.slice(0, detailMax);
    await this.#keeper.event({ type: "command", operator, subject, reason, detail });
  }
}

/** Characters: the log takes 4,096 octets. */
const detailMax = 1_000;
