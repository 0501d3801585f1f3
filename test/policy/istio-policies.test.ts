/** Which policies count for a port, and what it takes: Istio's own cases. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { inboundListener } from "../../src/core/envoy/inbound-listener.ts";
import { objectsByKind } from "../../src/core/policy/mesh-of.ts";
import { PeerPolicies } from "../../src/core/policy/peer-policies.ts";
import type { InboundProtocol } from "../../src/core/policy/proxy-policy.ts";
import { serverMode } from "../../src/core/policy/server-mode.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { ListenerSchema } from "../../src/gen/envoy/config/listener/v3/listener_pb.ts";
import {
  DownstreamTlsContextSchema,
  TlsParameters_TlsProtocol as TlsProtocol,
} from "../../src/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import { labelsOf } from "../support/policy-objects.ts";
import { peerPolicy, readObjects, readVectors, type WrittenPolicy } from "./istio-vectors.ts";

function policiesOf(written: readonly WrittenPolicy[], rootNamespace: string): PeerPolicies {
  const { objects, refused } = readObjects(written.map(peerPolicy));
  assert.deepEqual(refused, []);
  return new PeerPolicies(rootNamespace, objectsByKind(objects).peers);
}

interface Settings {
  readonly context: { readonly ours: object };
  readonly cases: readonly {
    readonly name: string;
    readonly policies: readonly WrittenPolicy[];
    readonly istio: string;
  }[];
}

describe("TestInboundMTLSSettings", () => {
  const { context, cases } = readVectors("inbound-mtls-settings.json") as Settings;
  const workload = { namespace: "my-ns", labels: labelsOf({ app: "foo" }) };
  for (const { name, policies, istio } of cases) {
    test(name, () => {
      const { mode } = serverMode(policiesOf(policies, "root-namespace"), workload, 8080);
      assert.equal(mode, istio);
      for (const protocol of ["tcp", "http"] as const) {
        const contexts = meshContexts(mode, protocol);
        assert.equal(contexts.length > 0, mode !== "disable");
      }
    });
  }

  test("what ends mTLS asks for the mesh's certificates, as Istio's does", () => {
    for (const mode of ["permissive", "strict"] as const) {
      const tcp = meshContexts(mode, "tcp");
      const http = meshContexts(mode, "http");
      for (const [index, each] of tcp.entries()) {
        const { alpn: alpnTcp, ...more } = each;
        assert.deepEqual({ ...more, alpnHttp: http[index]?.alpn, alpnTcp }, context.ours);
      }
    }
  });
});

function meshContexts(mode: "disable" | "permissive" | "strict", protocol: InboundProtocol) {
  const app = { kind: "ip", host: "127.0.0.1", port: 80 } as const;
  const inbound = { port: 8080, bind: "0.0.0.0", protocol, isHttp2: false, app, mode } as const;
  const { body } = inboundListener(inbound, TrustDomain.parse("td.test"));
  const ofApp = fromBinary(ListenerSchema, body).filterChains.filter(
    ({ name }) => name !== "canary",
  );
  return ofApp.flatMap(({ transportSocket: socket }) => {
    if (socket?.configType.case !== "typedConfig") return [];
    const context = anyUnpack(socket.configType.value, DownstreamTlsContextSchema);
    const common = context?.commonTlsContext;
    const validation = common?.validationContextType;
    assert(validation?.case === "combinedValidationContext");
    const { tlsMinimumProtocolVersion: least, tlsMaximumProtocolVersion: most } =
      common?.tlsParams ?? {};
    return {
      clientCertificate: context?.requireClientCertificate,
      certificate: common?.tlsCertificateSdsSecretConfigs[0]?.name,
      root: validation.value.validationContextSdsSecretConfig?.name,
      tlsMinimum: least === TlsProtocol.TLSv1_2 ? "1.2" : least,
      tlsMaximum: most === TlsProtocol.TLSv1_3 ? "1.3" : most,
      alpn: common?.alpnProtocols,
    };
  });
}

interface Selection {
  readonly rootNamespace: string;
  readonly policies: readonly WrittenPolicy[];
  readonly ofMesh: readonly WrittenPolicy[];
  readonly suites: readonly {
    readonly name: string;
    readonly hasMesh: boolean;
    readonly cases: readonly {
      readonly namespace: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly selected: readonly string[];
      readonly namespaceMode: string;
      readonly ours?: string;
    }[];
  }[];
}

describe("TestGetPoliciesForWorkload: the same policies count", () => {
  const { rootNamespace, policies, ofMesh, suites } = readVectors(
    "policy-selection.json",
  ) as Selection;
  for (const { name, hasMesh, cases } of suites) {
    const all = hasMesh ? [...policies, ...ofMesh] : policies;
    for (const { namespace, labels, selected, namespaceMode, ours = namespaceMode } of cases) {
      const workload = { namespace, labels: labelsOf(labels) };
      test(`${name}: ${namespace} ${Object.values(labels).join(" ")}`, () => {
        // One counts if it is heard where no other one says anything.
        const heard = all.filter((policy) => {
          const only = all.map((each): WrittenPolicy => {
            return { ...each, mode: each === policy ? "DISABLE" : "UNSET" };
          });
          return serverMode(policiesOf(only, rootNamespace), workload, 80).mode === "disable";
        });
        assert.deepEqual(
          heard.map(({ namespace: of = "", name: each }) => `${of}/${each}`),
          selected,
        );
        const ofNamespace = { namespace, labels: labelsOf() };
        const { mode } = serverMode(policiesOf(all, rootNamespace), ofNamespace, 80);
        assert.equal(mode, ours);
      });
    }
  }
});
