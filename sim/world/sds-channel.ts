/** One workload's SDS streams at its agent, served from one snapshot by the production subscriber machine. */

import type { ProxyEvidence } from "../../src/core/roll/evidence.ts";
import { proxyEvidence } from "../../src/app/agent/proxy-evidence.ts";
import type { SecretStream } from "../../src/app/agent/secret-channel.ts";
import type { Snapshot } from "../../src/core/xds/resource.ts";
import {
  openSubscriber,
  receiveSnapshot,
  receiveSotw,
  type SotwRequest,
  type Step,
} from "../../src/core/xds/subscriber.ts";
import type { SdsServer, SdsStream, SimEvidence } from "./sds-stream.ts";
import { nothingYet } from "./secrets.ts";

export interface ChannelOwner {
  readonly isServing: boolean;
  readonly nowMs: number;
  readonly agentMs: number;
  /** How long an Envoy waits after its stream was broken. */
  backOffMs(): number;
  nextStreamId(): bigint;
  evidenceChanged(): void;
}

export class SdsChannel implements SdsServer {
  readonly #owner: ChannelOwner;
  readonly #streams: SdsStream[] = [];
  #snapshot: Snapshot<SimEvidence> = nothingYet;

  constructor(owner: ChannelOwner) {
    this.#owner = owner;
  }

  get isServing(): boolean {
    return this.#owner.isServing;
  }

  mayDial(fromMs: number): boolean {
    return this.#owner.isServing && this.#owner.nowMs >= fromMs;
  }

  open(stream: SdsStream): void {
    stream.id = this.#owner.nextStreamId();
    stream.subscriber = openSubscriber({
      protocol: "sotw",
      typeUrl: "",
      noncePrefix: `${stream.id}-`,
      snapshot: this.#snapshot,
    });
    this.#streams.push(stream);
  }

  receive(stream: SdsStream, request: SotwRequest): void {
    const { subscriber } = stream;
    if (subscriber === undefined) return;
    this.#take(stream, receiveSotw(subscriber, request, this.#owner.agentMs));
  }

  closed(stream: SdsStream): void {
    stream.backOff(this.#owner.nowMs + this.#owner.backOffMs());
    const index = this.#streams.indexOf(stream);
    if (index >= 0) this.#streams.splice(index, 1);
    this.#owner.evidenceChanged();
  }

  publish(snapshot: Snapshot<SimEvidence>): void {
    this.#snapshot = snapshot;
    for (const stream of this.#streams) {
      if (stream.subscriber !== undefined) {
        this.#take(stream, receiveSnapshot(stream.subscriber, snapshot));
      }
    }
  }

  evidence(spiffeId: string | undefined): Map<string, ProxyEvidence> {
    return proxyEvidence(this.#streams.filter(isOpen), spiffeId);
  }

  /** The agent is gone, and with it what it knew of them. */
  reset(): void {
    for (const stream of this.#streams) {
      stream.close();
      stream.backOff(this.#owner.nowMs + this.#owner.backOffMs());
    }
    this.#streams.length = 0;
    this.#snapshot = nothingYet;
  }

  #take(stream: SdsStream, step: Step<SimEvidence>): void {
    if (step.kind === "end") throw new Error(`a stream of SDS was ended: ${step.message}`);
    stream.subscriber = step.subscriber;
    if (step.response !== undefined) stream.down.send(step.response);
    this.#owner.evidenceChanged();
  }
}

function isOpen(stream: SdsStream): stream is SdsStream & SecretStream {
  return stream.subscriber !== undefined;
}
