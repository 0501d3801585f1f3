/** What the server's own log says of operators at its door; what they have changed stands in the transparency log. */

import type { AdminPermission } from "../../../../core/kube/who/admin-permissions.ts";
import { permissionText } from "../../../../core/kube/who/admin-permissions.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";

export interface Asked {
  /** His verified name. */
  readonly operator: string;
  readonly permissions: readonly AdminPermission[];
  readonly method: string;
}

const sayIntervalMs = 1_000;

/** What strangers can cause as often as they like: counted, and said once a second. */
class Seldom {
  readonly #monotonicMs: () => number;
  #unsaid = 0;
  #sayAgainMs = Number.NEGATIVE_INFINITY;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  say(line: (count: number) => void): void {
    this.#unsaid++;
    if (this.#monotonicMs() < this.#sayAgainMs) return;
    line(this.#unsaid);
    this.#unsaid = 0;
    this.#sayAgainMs = this.#monotonicMs() + sayIntervalMs;
  }
}

export class OperatorLog {
  readonly #log: Logger;
  readonly #refused: Seldom;
  readonly #unknown: Seldom;

  constructor(log: Logger, monotonicMs: () => number) {
    this.#log = log;
    this.#refused = new Seldom(monotonicMs);
    this.#unknown = new Seldom(monotonicMs);
  }

  refused(why: string): void {
    this.#refused.say((count) => {
      const fields = { event: "operator-refused", why, count };
      this.#log.warn(fields, "tokens of operators were refused");
    });
  }

  forbidden(asked: Asked): void {
    this.#log.warn(
      { event: "operator-forbidden", ...fieldsOf(asked) },
      "an operator may not do what he asked for",
    );
  }

  /** Who watches asks each second. */
  admitted(asked: Asked): void {
    const fields = { event: "operator-admitted", ...fieldsOf(asked) };
    if (asked.permissions.every(({ verb }) => verb === "get"))
      this.#log.debug(fields, "an operator reads");
    else this.#log.info(fields, "an operator is let in");
  }

  unknown(error: unknown): void {
    this.#unknown.say((count) => {
      const fields = { event: "operators-unknown", error, count };
      this.#log.error(fields, "the API server cannot be asked about an operator");
    });
  }
}

function fieldsOf({ operator, permissions, method }: Asked): object {
  return { operator, permission: permissions.map(permissionText).join(", "), method };
}
