/** Asks the server again and again what the servers' ports take, what it would say of going strict, and where the flip stands. */

import { setTimeout as sleep } from "node:timers/promises";
import { checkMtls, getFlips } from "../../../edge/rpc/flip-client.ts";
import { fetchPolicyStatus } from "../../../edge/rpc/policy-status-client.ts";
import type { FlipStatus, MtlsVerdict } from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { servers, target } from "./manifests.ts";

export interface FlipWatchOptions {
  /** A gRPC target. */
  readonly admin: string;
  readonly lookBackSeconds: number;
}

const intervalMs = 250;

export class FlipWatch {
  readonly #options: FlipWatchOptions;
  /** What is in force, by the server's name; "" for nothing yet. */
  modes: ReadonlyMap<string, string> = new Map(servers.map(({ name }) => [name, ""]));
  verdict: MtlsVerdict | undefined;
  flip: FlipStatus | undefined;

  constructor(options: FlipWatchOptions) {
    this.#options = options;
  }

  /** Until the signal. @throws when the server does not answer any more */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look();
      await sleep(intervalMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Whom the last verdict named, each once; sorted. */
  get named(): readonly string[] {
    return [...new Set(this.verdict?.callers.map(({ name }) => name))].toSorted();
  }

  /** Of the flip: whose plaintext was refused. */
  get refused(): readonly string[] {
    return [...new Set(this.flip?.refused.map(({ name }) => name))];
  }

  /** Servers that refuse plaintext by what their Envoys have acknowledged. */
  get strict(): readonly string[] {
    return [...this.modes].flatMap(([name, mode]) => (mode === "strict" ? [name] : []));
  }

  /** The first stage: acknowledged, and no old plaintext connection is left. */
  get isFirstInForce(): boolean {
    return this.flip?.workloads.some(({ state }) => state === "in-force") ?? false;
  }

  /** @throws the signal's reason */
  async until(isTrue: (watch: FlipWatch) => boolean, signal: AbortSignal): Promise<void> {
    while (!isTrue(this)) await sleep(50, undefined, { signal });
  }

  async #look(): Promise<void> {
    const { admin, lookBackSeconds: lookBack } = this.#options;
    const [{ proxies }, { result }, flips] = await Promise.all([
      fetchPolicyStatus(admin),
      checkMtls(admin, { target, lookBack, operator: "demo" }),
      getFlips(admin, target),
    ]);
    const inForce = new Map(proxies.map(({ proxyId, ports }) => [proxyId, ports[0]?.inForce]));
    this.modes = new Map(servers.map(({ name }) => [name, inForce.get(name) ?? ""]));
    if (result.case === "verdict") this.verdict = result.value;
    this.flip = flips.at(0);
  }
}
