/** A server in a test cluster, called with the cluster's tokens: what its callers are told, and why by its log. */

import {
  startControlPlane,
  type LogLine,
  type TestControlPlane,
} from "../support/control-plane.ts";
import type { FlagTexts } from "../../src/edge/config/server-config.ts";
import { dialWire, sign, type SigningReply, type WireConnection } from "../server/grpc-wire.ts";
import type { Cluster } from "./cluster.ts";
import type { ObjectRef, PodOptions, PodRef } from "./objects.ts";

export const audience = "istio-ca";
const trustDomain = "cluster.local";

export interface Workload {
  readonly account: ObjectRef;
  readonly pod: PodRef;
  readonly token: string;
  readonly id: string;
}

export class ClusterCallers implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly server: TestControlPlane;
  /** A connection has 100 streams. */
  readonly #wires: readonly WireConnection[];
  #calls = 0;

  static async start(cluster: Cluster, flags: FlagTexts = {}): Promise<ClusterCallers> {
    const kubernetes = cluster.adminKubeconfig;
    const server = await startControlPlane({ flags: { kubernetes, ...flags } });
    return new ClusterCallers(cluster, server);
  }

  private constructor(cluster: Cluster, server: TestControlPlane) {
    this.cluster = cluster;
    this.server = server;
    this.#wires = Array.from({ length: 5 }, () => dialWire(server));
  }

  async workload(options: PodOptions = {}, name = "cart"): Promise<Workload> {
    const account = await this.cluster.serviceAccount(await this.cluster.namespace("calls"), name);
    const pod = await this.cluster.pod(account, options);
    const token = await this.cluster.tokenOf(account, { pod, audience });
    const id = `spiffe://${trustDomain}/ns/${account.namespace}/sa/${account.name}`;
    return { account, pod, token, id };
  }

  async call(token: string, impersonates?: string): Promise<SigningReply> {
    const metadata = impersonates === undefined ? {} : { ImpersonatedIdentity: impersonates };
    const wire = this.#wires[this.#calls++ % this.#wires.length];
    if (wire === undefined) throw new RangeError("expected a connection");
    return await sign(wire, {
      authorization: `Bearer ${token}`,
      message: { metadata },
    });
  }

  /** @returns "issued", or the code of the refusal by the log */
  async ask(token: string, impersonates?: string): Promise<string> {
    const reply = await this.call(token, impersonates);
    if (reply.code === 0) return "issued";
    return String(this.refusalOf(reply)["reason"]);
  }

  refusalOf({ metadata }: SigningReply): LogLine {
    const requestId = metadata["x-request-id"];
    const line = this.server.log.find(
      (each) => each["event"] === "request-refused" && each["requestId"] === requestId,
    );
    if (line === undefined)
      throw new Error(`expected a line of the log about ${String(requestId)}`);
    return line;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const wire of this.#wires) await wire[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}
