/** What stands in a cluster of Envoy's for each DestinationRule of Istio's own cases, from the manifest to the octets. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { outboundCluster } from "../../src/core/envoy/outbound-cluster.ts";
import { PolicyIndex } from "../../src/core/policy/policy-index.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { ClusterSchema } from "../../src/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { DataSource } from "../../src/gen/envoy/config/core/v3/base_pb.ts";
import {
  UpstreamTlsContextSchema,
  type UpstreamTlsContext,
} from "../../src/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import { meshConfig, readObjects, readVectors, type WrittenObject } from "./istio-vectors.ts";

/** Only what is written is compared. */
interface Outcome {
  readonly kind: "refused" | "none" | "tls";
  readonly path?: string;
  readonly sni?: string;
  readonly sans?: readonly string[];
  readonly alpn?: readonly string[];
  readonly root?: string | null;
  readonly certificate?: string | null;
  readonly to?: "all" | "with-proxy";
}

interface Case {
  readonly name: string;
  readonly tls?: object;
  readonly http2?: boolean;
  readonly auto?: boolean;
  readonly mesh?: object;
  readonly serviceNames?: readonly string[];
  readonly istio: Outcome;
  readonly ours?: Outcome;
  /** Ours is wrong. */
  readonly fault?: string;
}

const host = "api.test";
const trustDomain = "td.test";

function objectsFor({ tls, http2, auto = true, mesh, serviceNames }: Case): WrittenObject[] {
  const protocol = http2 === true ? "GRPC" : "TCP";
  const service = {
    hosts: [host],
    location: "MESH_INTERNAL",
    resolution: "STATIC",
    ports: [{ number: 9000, name: "api", protocol }],
    endpoints: [{ address: "10.0.0.1", serviceAccount: "api" }, { address: "10.0.0.2" }],
    ...(serviceNames !== undefined && { subjectAltNames: serviceNames }),
  };
  const rule = { host, trafficPolicy: { tls } };
  const sidecar = { egress: [{ hosts: ["*/*"] }] };
  return [
    meshConfig({ enableAutoMtls: auto, ...mesh }),
    { kind: "ServiceEntry", namespace: "ns", name: "api", spec: service },
    { kind: "Sidecar", namespace: "client", name: "default", spec: sidecar },
    ...(tls === undefined
      ? []
      : [{ kind: "DestinationRule", namespace: "ns", name: "api", spec: rule }]),
  ];
}

function outcomeOf(written: Case): Outcome {
  const { objects, refused } = readObjects(objectsFor(written));
  const [path] = refused;
  if (path !== undefined) return { kind: "refused", path };
  const index = new PolicyIndex(trustDomain);
  for (const each of objects) index.set(each);
  const of = { namespace: "client", serviceAccount: "web", nodeId: "web-1" };
  index.addProxy({ key: "web", ...of, claimedLabels: new Map() });
  const [cluster] = index.desired("web")?.clusters ?? [];
  assert.ok(cluster);
  const sending = cluster.endpoints.filter(({ sends }) => sends !== "plaintext");
  const options = { trustDomain: TrustDomain.parse(trustDomain), systemRootsFile: "system" };
  const { transportSocketMatches } = fromBinary(
    ClusterSchema,
    outboundCluster(cluster, options).body,
  );
  const [context, ...others] = transportSocketMatches.flatMap(({ transportSocket: socket }) => {
    if (socket?.configType.case !== "typedConfig") return [];
    return anyUnpack(socket.configType.value, UpstreamTlsContextSchema) ?? [];
  });
  assert.deepEqual(others, []);
  assert.equal(context === undefined, sending.length === 0);
  if (context === undefined) return { kind: "none" };
  const isAll = sending.length === cluster.endpoints.length;
  return { kind: "tls", ...tlsOf(context), to: isAll ? "all" : "with-proxy" };
}

function tlsOf({ sni, commonTlsContext: common }: UpstreamTlsContext): Omit<Outcome, "kind"> {
  const validation = common?.validationContextType;
  const combined = validation?.case === "combinedValidationContext" ? validation.value : undefined;
  const plain = validation?.case === "validationContext" ? validation.value : undefined;
  const [own] = common?.tlsCertificates ?? [];
  const files = [own?.certificateChain, own?.privateKey].map(fileOf).join("~");
  const names = combined?.defaultValidationContext ?? plain;
  return {
    sni,
    sans: (names?.matchTypedSubjectAltNames ?? []).map(({ matcher }) => {
      return matcher?.matchPattern.case === "exact" ? matcher.matchPattern.value : "no exact name";
    }),
    alpn: common?.alpnProtocols ?? [],
    root: combined?.validationContextSdsSecretConfig?.name ?? fileOf(plain?.trustedCa) ?? null,
    certificate:
      common?.tlsCertificateSdsSecretConfigs[0]?.name ?? (own === undefined ? null : files),
  };
}

function fileOf(source: DataSource | undefined): string | undefined {
  return source?.specifier.case === "filename" ? source.specifier.value : undefined;
}

interface Vectors {
  readonly suites: readonly { readonly name: string; readonly cases: readonly Case[] }[];
}

for (const { name: suite, cases } of (readVectors("upstream-tls.json") as Vectors).suites) {
  describe(suite, () => {
    for (const each of cases) {
      const { name, fault, istio, ours = istio } = each;
      test(name, fault === undefined ? {} : { todo: fault }, () => {
        const found = Object.entries(outcomeOf(each)).filter(([key]) => key in ours);
        assert.deepEqual(Object.fromEntries(found), ours);
      });
    }
  });
}
