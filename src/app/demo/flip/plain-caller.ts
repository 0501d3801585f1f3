/** An application that calls the servers in plaintext, from its workload's address, until it moves behind an Envoy. */

import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { FlipWorkload } from "./manifests.ts";

export interface PlainCallerOptions {
  readonly workload: FlipWorkload;
  /** Of itself, to whoever asks. */
  readonly claim: string;
  readonly timeoutMs: number;
}

const pauseMs = 200;

export class PlainCaller {
  readonly workload: FlipWorkload;
  /** In plaintext. */
  readonly direct = { served: 0, refused: 0 };
  /** Through its Envoy. */
  readonly meshed = { sent: 0, failed: 0 };
  readonly #options: PlainCallerOptions;
  #door: number | undefined;

  constructor(options: PlainCallerOptions) {
    this.#options = options;
    this.workload = options.workload;
  }

  /** @param door of its Envoy, on loopback */
  moveBehind(door: number): void {
    this.#door = door;
  }

  /** One call after the other, each to the next server, until the signal. */
  async run(servers: readonly FlipWorkload[], port: number, signal: AbortSignal): Promise<void> {
    for (let number = 0; !signal.aborted; number++) {
      if (this.#door !== undefined) await this.#callMeshed(this.#door);
      else await this.call(servers[number % servers.length]?.address ?? "", port);
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
  }

  /** In plaintext, on a connection of its own. @returns whether it was answered */
  async call(address: string, port: number): Promise<boolean> {
    const isServed = await this.#get({ host: address, localAddress: this.workload.address, port });
    this.direct[isServed ? "served" : "refused"] += 1;
    return isServed;
  }

  async #callMeshed(port: number): Promise<void> {
    this.meshed.sent += 1;
    if (!(await this.#get({ host: "127.0.0.1", port }))) this.meshed.failed += 1;
  }

  async #get(to: {
    readonly host: string;
    readonly port: number;
    readonly localAddress?: string;
  }): Promise<boolean> {
    const { claim, timeoutMs } = this.#options;
    const signal = AbortSignal.timeout(timeoutMs);
    return new Promise((resolve) => {
      // Without an agent no connection is kept.
      get({ ...to, agent: false, signal, headers: { "user-agent": claim } }, (response) => {
        response.resume().on("error", () => resolve(false));
        response.on("end", () => resolve(response.statusCode === 200));
      }).on("error", () => resolve(false));
    });
  }
}
