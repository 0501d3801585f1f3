/** One SDS stream of an Envoy, both ends of it: the server's is the production subscriber machine, in the hands of the agent. */

import type { SecretEvidence } from "../../src/core/envoy/secret.ts";
import type { SotwRequest, Subscriber } from "../../src/core/xds/subscriber.ts";
import type { XdsResponse } from "../../src/core/xds/subscription.ts";
import type { Envoy } from "./envoy.ts";
import { Pipe, Task } from "./pipe.ts";
import type { Leaf } from "./symbols.ts";

/** What a secret says, for whoever applies it. */
export interface SimEvidence extends SecretEvidence {
  readonly leaf?: Leaf;
  /** Roots of a trust bundle; 0 for a certificate. */
  readonly mask: number;
}

/** The agent, as its socket shows it. */
export interface SdsServer {
  readonly isServing: boolean;
  mayDial(fromMs: number): boolean;
  open(stream: SdsStream): void;
  receive(stream: SdsStream, request: SotwRequest): void;
  closed(stream: SdsStream): void;
}

export class SdsStream {
  readonly envoy: Envoy;
  readonly names: readonly string[];
  readonly up: Pipe<SotwRequest>;
  readonly down: Pipe<XdsResponse<SimEvidence>>;
  readonly dial: Task;
  /** A new one with each connection. */
  id = 0n;
  isOpen = false;
  /** At the agent's end. */
  subscriber: Subscriber<SimEvidence> | undefined;
  /** What Envoy has accepted last. */
  version = "";
  readonly #server: SdsServer;
  #dialAtMs = 0;

  constructor(envoy: Envoy, names: readonly string[], server: SdsServer) {
    this.#server = server;
    this.envoy = envoy;
    this.names = names;
    this.up = new Pipe(
      () => server.isServing,
      (request) => server.receive(this, request),
    );
    this.down = new Pipe(
      () => !envoy.isFrozen,
      (response) => envoy.receive(this, response),
    );
    this.dial = new Task(
      () => !this.isOpen && envoy.isAlive && !envoy.isFrozen && server.mayDial(this.#dialAtMs),
      () => {
        this.isOpen = true;
        server.open(this);
        this.ask("", undefined);
      },
    );
  }

  ask(responseNonce: string, error: string | undefined): void {
    const { names: resourceNames, version: versionInfo } = this;
    const { node } = this.envoy;
    this.up.send({ typeUrl: "", node, versionInfo, responseNonce, error, resourceNames });
  }

  /** By Envoy's end: the agent sees it. */
  end(): void {
    this.close();
    this.#server.closed(this);
  }

  /** It was open: Envoy waits a while before it comes back. */
  backOff(untilMs: number): void {
    this.#dialAtMs = untilMs;
  }

  /** @returns whether anything was lost */
  close(): boolean {
    this.isOpen = false;
    const lostUp = this.up.lose();
    return this.down.lose() || lostUp;
  }
}
