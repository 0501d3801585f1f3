/** What is said of handshakes on one mesh stream, from the server's first wish on. */

import type { Client, ClientDuplexStream } from "@grpc/grpc-js";
import { requestCanary } from "../../../edge/rpc/canary-client.ts";
import {
  encodeHandshakeReport,
  parseProveHandshakes,
  type ToldHandshake,
} from "../../../edge/rpc/handshake-messages.ts";
import type {
  ConnectRequest,
  ConnectResponse,
  ProveHandshakes,
} from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { Known } from "../mesh-report.ts";
import type { AgentPolicies } from "../policy/agent-policies.ts";
import { canaryTargets } from "./canary-targets.ts";
import type { HandshakeProver } from "./handshake-prover.ts";

export interface HandshakeTalkOptions {
  readonly prover: HandshakeProver;
  readonly policies: AgentPolicies;
  /** Of the stream. */
  readonly client: Client;
  readonly agentId: string;
}

export class HandshakeTalk {
  readonly #stream: ClientDuplexStream<ConnectRequest, ConnectResponse>;
  readonly #options: HandshakeTalkOptions;
  #told: ReadonlyMap<string, ToldHandshake> = new Map();
  #isAsked = false;

  constructor(
    stream: ClientDuplexStream<ConnectRequest, ConnectResponse>,
    options: HandshakeTalkOptions,
  ) {
    this.#stream = stream;
    this.#options = options;
  }

  /** This stream is the one that counts, and has not asked yet. */
  begin(): void {
    this.#options.prover.ask(undefined, undefined);
  }

  /** @throws MeshMessageError */
  take(wish: ProveHandshakes): void {
    const { prover, client, agentId } = this.#options;
    const asked = parseProveHandshakes(wish);
    this.#isAsked = asked !== undefined;
    prover.ask(asked, (csrPem, rootSha256) =>
      requestCanary(client, { agentId, csrPem, rootSha256 }),
    );
  }

  update(known: Known): void {
    if (!this.#isAsked) return;
    const { prover, policies } = this.#options;
    const { here } = policies.known(() => false);
    prover.look(canaryTargets(known, here));
    const told = new Map(prover.told);
    for (const [key, each] of told) {
      if (this.#told.get(key) !== each) this.#stream.write(encodeHandshakeReport(each));
    }
    this.#told = told;
  }
}
