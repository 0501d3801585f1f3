/** An agent of one Envoy that speaks the mesh's protocol and does what it is told at once: what its Envoy saw, a test says. */

import type { PortCoverage, SeenConnections } from "../../src/core/evidence/connection.ts";
import { policyKey, type OldConnections } from "../../src/core/policy/policy-report.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { encodeConnectionReport } from "../../src/edge/rpc/connection-messages.ts";
import { dial } from "../../src/edge/rpc/dial.ts";
import { encodeHello } from "../../src/edge/rpc/mesh-messages.ts";
import { parsePolicy, policyDigest } from "../../src/edge/rpc/policy-messages.ts";
import { encodePolicyReports } from "../../src/edge/rpc/policy-report-messages.ts";
import { policyAssignments } from "../../src/edge/rpc/policy-snapshot-messages.ts";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import { MeshService, type ConnectResponse } from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { meshIdentity, type MeshIdentity } from "../server/mesh-client.ts";
import { eventually, type TestControlPlane } from "../support/control-plane.ts";

const { path, requestSerialize, responseDeserialize } = methodDefinition(
  MeshService,
  MeshService.method.connect,
);

interface Stream {
  readonly write: (message: object) => void;
  readonly end: () => void;
}

export class RawAgent {
  /** Of its Envoy, as its WorkloadEntry is named: `api-0` of the service account `api`. */
  readonly name: string;
  readonly #runId = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");
  #identity: MeshIdentity | undefined;
  #stream: Stream | undefined;
  #applied: { readonly digest: string; readonly octets: Uint8Array } | undefined;
  #answered = 0;
  #sequence = 0;
  #acknowledged = 0;
  #isAsked = false;
  /** How often it was asked to tell, on all streams (ms). */
  readonly asked: number[] = [];
  /** By port, as acknowledged. */
  modes: ReadonlyMap<number, ServerMode> = new Map();
  /** Modes of all policies that it was told, on all streams. */
  readonly told: ReadonlyMap<number, ServerMode>[] = [];
  /** When it was told the last one (`performance.now()`). */
  toldMs = 0;
  /** Set before what it is about. */
  takesAll = true;
  /** False: it only asks by `ext_authz`, and refuses by `others`. */
  hasListeners = true;
  /** Of all ports that nobody names, as acknowledged. */
  others: ServerMode | undefined;
  oldConnections: OldConnections = "gone";
  draining: ReadonlyMap<number, number> = new Map();

  constructor(name: string) {
    this.name = name;
  }

  /** @param plane where it gets a certificate, too, if it has none @param isAsked whether connections are recorded there */
  async open(plane: TestControlPlane, isAsked = true): Promise<void> {
    const [account = ""] = this.name.split("-");
    this.#identity ??= await meshIdentity(plane, account, 3_600, `agent-${this.name}`);
    const serverRoots = Buffer.from(plane.rootPem);
    const client = dial({ server: plane.address, serverRoots, identity: this.#identity });
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    call.on("error", () => {});
    this.#stream = {
      write: (message) => void call.write(message as never),
      end: () => {
        call.cancel();
        client.close();
      },
    };
    this.#answered = 0;
    this.#isAsked = false;
    let hasBegun = false;
    call.on("data", ({ message }: ConnectResponse) => {
      if (message.case === "collect") {
        this.#isAsked = true;
        this.asked.push(message.value.intervalMs);
      }
      if (message.case === "connectionsAck") this.#acknowledged = Number(message.value.sequence);
      if (message.case !== "policy") return;
      if (!hasBegun) this.tell(true);
      hasBegun = true;
      for (const { octets } of policyAssignments(message.value)) {
        this.#answer(octets);
        this.tell();
      }
    });
    this.#stream.write(encodeHello(`agent-${this.name}`, "test", 0n, undefined, Date.now(), true));
    await eventually(() => hasBegun && this.#isAsked === isAsked);
  }

  close(): void {
    this.#stream?.end();
    this.#stream = undefined;
  }

  /** What it has and does now. */
  tell(isFirst = false): void {
    const proxy = {
      proxyId: this.name,
      spiffeId: undefined,
      labels: new Map<string, string>(),
      hasListeners: this.hasListeners,
      applied: this.#applied,
      isUnsure: false,
      nack: undefined,
      draining: this.draining,
      oldConnections: this.oldConnections,
      assignmentsAnswered: this.#answered,
    };
    const report = { full: isFirst, complete: isFirst, proxies: [proxy], gone: [] };
    for (const each of encodePolicyReports(report)) this.#stream?.write(each);
  }

  /** Its Envoy has ended. */
  leave(): void {
    const gone = [policyKey({ proxyId: this.name, spiffeId: undefined })];
    const report = { full: false, complete: false, proxies: [], gone };
    for (const each of encodePolicyReports(report)) this.#stream?.write(each);
  }

  /** Durable at the server when it resolves. */
  async saw(
    epochMs: number,
    seen: readonly SeenConnections[],
    coverage: readonly PortCoverage[],
  ): Promise<void> {
    const sequence = ++this.#sequence;
    const proxies = [{ proxyId: this.name, spiffeId: undefined, epochMs, seen, coverage }];
    this.#stream?.write(encodeConnectionReport({ runId: this.#runId, sequence, proxies }));
    await eventually(() => this.#acknowledged === sequence);
  }

  #answer(octets: Uint8Array): void {
    this.#answered += 1;
    this.toldMs = performance.now();
    const { inbound, modes: all } = parsePolicy(octets);
    const modes = new Map(inbound.map(({ port, mode }) => [port, mode]));
    this.told.push(modes);
    if (!this.takesAll) return;
    this.modes = modes;
    this.others = all.other;
    this.#applied = { digest: policyDigest(octets), octets: Uint8Array.from(octets) };
  }
}
