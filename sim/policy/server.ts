/** A simulated process of the server: production's rollout, and between it and the streams no more than has to be. */

import { Rollout } from "../../src/core/policy/rollout.ts";
import type { PolicyPush } from "../../src/core/policy/rollout.ts";
import type { ProxyReport } from "../../src/core/policy/rollout-proxy.ts";
import type { MeshConfig, ProxyConfig } from "./config.ts";
import type { SimStream } from "./stream.ts";

export class SimServer {
  readonly rollout: Rollout = new Rollout();
  readonly #config: MeshConfig;
  readonly #streams = new Map<string, SimStream>();
  /** The last one of each that is there. */
  readonly reports: Map<string, ProxyReport> = new Map<string, ProxyReport>();
  /** Also of those that are away; undefined for whoever is expected and was not heard. */
  readonly heard: Map<string, ProxyReport | undefined> = new Map();

  constructor(config: MeshConfig, expected: readonly ProxyConfig[]) {
    this.#config = config;
    for (const proxy of expected) {
      this.heard.set(proxy.key, undefined);
      this.configure(proxy);
    }
  }

  configure(proxy: ProxyConfig): void {
    const desired = this.#config.desired(proxy);
    this.rollout.target(proxy.key, { desired, address: proxy.address });
  }

  accept(stream: SimStream): void {
    this.#close(stream.key);
    this.#streams.set(stream.key, stream);
  }

  remove(key: string): void {
    this.#streams.delete(key);
    this.reports.delete(key);
    this.heard.delete(key);
    this.rollout.remove(key);
  }

  get streams(): readonly SimStream[] {
    return [...this.#streams.values()];
  }

  /** Reads what has come, or finds that the stream is cut. */
  read(stream: SimStream): void {
    const said = stream.up.shift();
    if (said !== undefined) {
      const { answered, ...rest } = said;
      const report = { ...rest, isAnswered: answered >= stream.sent };
      this.reports.set(stream.key, report);
      this.heard.set(stream.key, report);
      this.rollout.reported(stream.key, report);
    } else if (stream.isCut) this.#close(stream.key);
  }

  push(max: number): readonly PolicyPush[] {
    const pushes = this.rollout.takePushes(max);
    for (const { key, policy } of pushes) {
      const stream = this.#streams.get(key);
      if (stream === undefined) continue;
      stream.sent += 1;
      stream.down.push(policy);
    }
    return pushes;
  }

  #close(key: string): void {
    if (!this.#streams.delete(key)) return;
    this.reports.delete(key);
    this.rollout.disconnected(key);
  }
}
