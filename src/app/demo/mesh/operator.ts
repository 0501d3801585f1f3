/** Gives a server the commands of a rotation of roots over its admin socket, and looks at what came of them. */

import { setTimeout as sleep } from "node:timers/promises";
import { changeRoot, fetchRootStatus, type RootCommand } from "../../../edge/rpc/root-client.ts";
import type {
  RootAuthority,
  RootChange,
  RootRefusal,
  RootStatus,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { DemoError } from "../demo-error.ts";

type Kind = Exclude<RootCommand["kind"], "compromise">;

export type Answer =
  | { readonly kind: "done"; readonly change: RootChange }
  | { readonly kind: "refused"; readonly refusal: RootRefusal };

/** What opens by itself. */
const gates: ReadonlySet<string> = new Set(["verifiers-lagging", "holders-left"]);
const pollMs = 200;
/** More than there are. */
const namedMax = 1_000;

export class Operator {
  readonly #admin: string;
  readonly #name: string;

  /** @param admin a gRPC target. @param name as the log is to have it */
  constructor(admin: string, name: string) {
    this.#admin = admin;
    this.#name = name;
  }

  async status(): Promise<RootStatus> {
    return fetchRootStatus(this.#admin, namedMax);
  }

  async give(kind: Kind): Promise<Answer> {
    const command = kind === "prepare" ? { kind, source: {} } : { kind };
    const request = { command, operator: this.#name, dryRun: false };
    const { result } = await changeRoot(this.#admin, request);
    if (result.case === "done") return { kind: "done", change: result.value };
    if (result.case === "refused") return { kind: "refused", refusal: result.value };
    throw new TypeError("expected an answer to a command, got none");
  }

  /** Again until the gate is open. @throws DemoError if it is refused for another reason; the signal's reason */
  async insist(kind: Kind, signal: AbortSignal): Promise<RootChange> {
    for (;;) {
      const answer = await this.give(kind);
      if (answer.kind === "done") return answer.change;
      const { code, message } = answer.refusal;
      if (!gates.has(code)) throw new DemoError("demo-command-refused", `root ${kind}: ${message}`);
      await sleep(pollMs, undefined, { signal });
    }
  }

  /** @throws the signal's reason */
  async until(isTrue: (status: RootStatus) => boolean, signal: AbortSignal): Promise<RootStatus> {
    for (;;) {
      const status = await this.status();
      if (isTrue(status)) return status;
      await sleep(pollMs, undefined, { signal });
    }
  }
}

/** @param state "prepared", "active", "retiring", "retired" */
export function authorityIn(status: RootStatus, state: string): RootAuthority | undefined {
  return status.authorities.find((authority) => authority.state === state);
}

/** One authority is left, and everybody has confirmed the bundle without the others. */
export function isOver({ authorities, verifiers }: RootStatus): boolean {
  const isAlone = authorities.every(({ state }) => state === "active" || state === "retired");
  return isAlone && verifiers?.lagging === 0n;
}
