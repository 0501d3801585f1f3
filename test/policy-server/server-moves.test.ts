/** Callers of a server that is to move and cannot keep the address that works: a real control plane, and agents that speak its protocol. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import { dial } from "../../src/edge/rpc/dial.ts";
import { encodeHello } from "../../src/edge/rpc/mesh-messages.ts";
import { parsePolicy, policyDigest } from "../../src/edge/rpc/policy-messages.ts";
import { encodePolicyReports } from "../../src/edge/rpc/policy-report-messages.ts";
import { policyAssignments } from "../../src/edge/rpc/policy-snapshot-messages.ts";
import { changeResources } from "../../src/edge/rpc/resource-client.ts";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import { parseManifests } from "../../src/edge/resources/parse-manifests.ts";
import { MeshService, type ConnectResponse } from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { meshIdentity, type MeshIdentity } from "../server/mesh-client.ts";
import { eventually, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const first = "10.0.0.1";
const second = "10.0.0.2";

/** @param outside an address of another service: who is told it has been told of this configuration */
function manifests(api: string, outside: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: api-0, namespace: shop, labels: { app: api } }
spec: { address: ${api}, serviceAccount: api }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: web-0, namespace: shop, labels: { app: web } }
spec: { address: 10.0.0.9, serviceAccount: web }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: shop }
spec:
  hosts: [api.shop.internal]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }]
  workloadSelector: { labels: { app: api } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside, namespace: shop }
spec:
  hosts: [outside.example.com]
  resolution: STATIC
  ports: [{ number: 81, name: http, protocol: HTTP }]
  endpoints: [{ address: ${outside} }]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: api, namespace: shop }
spec:
  workloadSelector: { labels: { app: api } }
  ingress: [{ port: { number: 8080, name: http, protocol: HTTP }, defaultEndpoint: 127.0.0.1:9080 }]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: web, namespace: shop }
spec:
  workloadSelector: { labels: { app: web } }
  egress: [{ hosts: ["shop/*"] }]
`;
}

async function apply(plane: TestControlPlane, api: string, outside: string): Promise<void> {
  const { objects, problems } = parseManifests(manifests(api, outside), "f.yaml");
  assert.deepEqual(problems, []);
  const { admin } = plane.controlPlane.endpoints;
  await changeResources(admin, { apply: objects, remove: [], isDryRun: false, operator: "ada" });
}

interface Given {
  readonly digest: string;
  readonly octets: Uint8Array;
}

/** Of one Envoy, which answers at once. */
class RawAgent {
  readonly #name: string;
  #applied: Given | undefined;
  refused: Given | undefined;
  takesAll = true;
  /** On its newest stream. */
  #assignmentsAnswered = 0;
  /** Addresses of endpoints and listeners, by each policy. */
  readonly told: (readonly string[])[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  open(plane: TestControlPlane, identity: MeshIdentity) {
    const client = dial({
      server: plane.address,
      serverRoots: Buffer.from(plane.rootPem),
      identity,
    });
    const { path, requestSerialize, responseDeserialize } = methodDefinition(
      MeshService,
      MeshService.method.connect,
    );
    const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const report = (isFirst: boolean): void => {
      for (const each of encodePolicyReports(this.#report(isFirst))) stream.write(each);
    };
    let hasBegun = false;
    this.#assignmentsAnswered = 0;
    stream.on("error", () => {});
    stream.on("data", ({ message }: ConnectResponse) => {
      if (message.case !== "policy") return;
      if (!hasBegun) report(true);
      hasBegun = true;
      for (const { octets } of policyAssignments(message.value)) {
        this.#answer(octets);
        report(false);
      }
    });
    stream.write(encodeHello(`agent-${this.#name}`, "test", 0n, undefined, Date.now(), true));
    return {
      begun: () => eventually(() => hasBegun),
      [Symbol.dispose]: () => {
        stream.cancel();
        client.close();
      },
    };
  }

  /** It has been told of the configuration with this address. */
  async knows(outside: string): Promise<void> {
    await eventually(() => this.told.at(-1)?.includes(outside));
  }

  #answer(octets: Uint8Array): void {
    const policy = parsePolicy(octets);
    this.#assignmentsAnswered += 1;
    this.told.push(addressesOf(policy));
    const given = { digest: policyDigest(octets), octets: Uint8Array.from(octets) };
    if (this.takesAll) this.#applied = given;
    this.refused = this.takesAll ? undefined : given;
  }

  #report(isFirst: boolean) {
    const { refused } = this;
    const proxy = {
      proxyId: `${this.#name}-0`,
      spiffeId: undefined,
      labels: new Map<string, string>(),
      hasListeners: true,
      applied: this.#applied,
      isUnsure: false,
      nack: refused && { ...refused, detail: "cannot bind", resources: [], isPartial: true },
      draining: new Map<number, number>(),
      oldConnections: "unobserved" as const,
      assignmentsAnswered: this.#assignmentsAnswered,
    };
    return { full: isFirst, complete: isFirst, proxies: [proxy], gone: [] };
  }
}

function addressesOf({ clusters, inbound }: ProxyPolicy): readonly string[] {
  const endpoints = clusters.flatMap((each) => each.endpoints.map(({ address }) => address));
  return [...endpoints, ...inbound.map(({ bind }) => `listen ${bind}`)];
}

/** Two agents; `api` has refused to move, and `web` calls it where it is. */
async function refusedMove(plane: TestControlPlane) {
  const [api, web] = [new RawAgent("api"), new RawAgent("web")];
  const ofApi = await meshIdentity(plane, "api", 600, "agent-api");
  const ofWeb = await meshIdentity(plane, "web", 600, "agent-web");
  await apply(plane, first, "203.0.113.1");
  const streams = { api: api.open(plane, ofApi), web: web.open(plane, ofWeb) };
  await web.knows("203.0.113.1");
  await eventually(() => api.told.at(-1)?.includes(`listen ${first}`));
  api.takesAll = false;
  await apply(plane, second, "203.0.113.2");
  await eventually(() => api.refused);
  await web.knows("203.0.113.2");
  assert.deepEqual(web.told.at(-1), [first, "203.0.113.2"]);
  return { api, web, ofApi, ofWeb, streams };
}

describe("callers of a server that cannot move keep the address that works", () => {
  for (const how of ["renews its certificate", "is restarted"]) {
    it(`when the server's agent ${how}`, async () => {
      await using plane = await startControlPlane();
      const { api, web, streams } = await refusedMove(plane);
      using before = streams.api;
      using _ = streams.web;
      const renewed = await meshIdentity(plane, "api", 600, "agent-api");
      if (how === "is restarted") before[Symbol.dispose]();
      using after = api.open(plane, renewed);
      await after.begun();
      await apply(plane, second, "203.0.113.3");
      await web.knows("203.0.113.3");
      assert.deepEqual(
        web.told.filter((each) => !each.includes(first)),
        [],
      );
    });
  }

  it("over a restart of the control plane, also those that come before the server does", async () => {
    using data = temporaryDirectory();
    const flags = { "data-dir": data.path };
    await using before = await startControlPlane({ flags });
    const { api, web, ofApi, ofWeb, streams } = await refusedMove(before);
    for (const each of [streams.api, streams.web]) each[Symbol.dispose]();
    await before[Symbol.asyncDispose]();
    await using plane = await startControlPlane({ flags });
    using _ = web.open(plane, ofWeb);
    await apply(plane, second, "203.0.113.3");
    await web.knows("203.0.113.3");
    using heard = api.open(plane, ofApi);
    await heard.begun();
    await apply(plane, second, "203.0.113.4");
    await web.knows("203.0.113.4");
    assert.deepEqual(
      web.told.filter((each) => !each.includes(first)),
      [],
    );
  });
});
