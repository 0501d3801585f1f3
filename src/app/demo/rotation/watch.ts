/** Asks the server where the rotation stands, and the Envoys what they counted, again and again. */

import { timestampMs } from "@bufbuild/protobuf/wkt";
import { setTimeout as sleep } from "node:timers/promises";
import type { RootStatus } from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { totalTls, type Member, type MemberTls } from "../mesh/member.ts";
import type { Operator } from "../mesh/operator.ts";
import { letterOf, type RootsView, type VerifiersView } from "./board.ts";
import { shortName } from "./laggard-name.ts";

const intervalMs = 250;

export class MeshWatch {
  readonly #members: readonly Member[];
  readonly #operator: Operator;
  /** Of authorities, in the order in which they were first seen. */
  readonly #ids: string[] = [];
  #status: RootStatus | undefined;
  tls: MemberTls = { handshakes: 0, resumed: 0, failures: {} };

  constructor(members: readonly Member[], operator: Operator) {
    this.#members = members;
    this.#operator = operator;
  }

  /** Until the signal. @throws when the server or an Envoy does not answer any more */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#take(await this.#operator.status());
        this.tls = await this.readTls(signal);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      await sleep(intervalMs, undefined, { signal }).catch(() => {});
    }
  }

  async readTls(signal: AbortSignal): Promise<MemberTls> {
    return totalTls(await Promise.all(this.#members.map((member) => member.tls(signal))));
  }

  get roots(): RootsView["roots"] {
    const states = new Map(this.#status?.authorities.map(({ id, state }) => [id, state]));
    return this.#ids.map((id, index) => ({
      letter: letterOf(index + 1),
      state: states.get(id) ?? "gone",
    }));
  }

  get verifiers(): VerifiersView | undefined {
    const verifiers = this.#status?.verifiers;
    if (verifiers === undefined) return undefined;
    return {
      total: Number(verifiers.total),
      confirmed: Number(verifiers.confirmed),
      laggards: verifiers.laggards.map(shortName),
    };
  }

  get left(): RootsView["left"] {
    const status = this.#status;
    const retiring = status?.authorities.find(({ state }) => state === "retiring");
    const holders = status?.holders.find(({ authorityId }) => authorityId === retiring?.id);
    if (status?.now === undefined || holders?.lastEndsAt === undefined) return undefined;
    const leftMs = timestampMs(holders.lastEndsAt) - timestampMs(status.now);
    return { count: Number(holders.unexpired), seconds: Math.max(0, Math.ceil(leftMs / 1_000)) };
  }

  #take(status: RootStatus): void {
    this.#status = status;
    for (const { id } of status.authorities) {
      if (!this.#ids.includes(id)) this.#ids.push(id);
    }
  }
}
