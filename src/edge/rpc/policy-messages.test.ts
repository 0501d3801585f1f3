import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import * as fc from "fast-check";
import { anyPolicy, policyOf } from "../../../test/support/proxy-policies.ts";
import { emptyPolicy } from "../../core/policy/proxy-policy.ts";
import {
  ProxyPolicySchema,
  type InboundPortSchema,
  type MeshTlsSchema,
  type OutboundClusterSchema,
  type OutboundEndpointSchema,
  type OutboundPortSchema,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { MeshMessageError } from "./mesh-fields.ts";
import { encodePolicy, parsePolicy, policyDigest } from "./policy-messages.ts";

type Init = MessageInitShape<typeof ProxyPolicySchema>;

const inbound = {
  port: 8_080,
  bind: "0.0.0.0",
  protocol: 2,
  appHost: "127.0.0.1",
  appPort: 80,
  mode: 3,
} satisfies MessageInitShape<typeof InboundPortSchema>;
const endpoint = { address: "10.0.0.1", port: 80, weight: 1, sends: 1 } satisfies MessageInitShape<
  typeof OutboundEndpointSchema
>;
const cluster = {
  name: "c",
  protocol: 1,
  endpoints: [endpoint],
} satisfies MessageInitShape<typeof OutboundClusterSchema>;
const outbound = {
  bind: "127.0.0.1",
  port: 80,
  protocol: 1,
  routes: [{ domains: [], cluster: "c" }],
} satisfies MessageInitShape<typeof OutboundPortSchema>;
const mtls = { sni: "s", sans: [] } satisfies MessageInitShape<typeof MeshTlsSchema>;

function octetsOf(init: Init): Uint8Array {
  return toBinary(ProxyPolicySchema, create(ProxyPolicySchema, { otherMode: 2, ...init }));
}

function refuses(init: Init, message: RegExp): void {
  assert.throws(
    () => parsePolicy(octetsOf(init)),
    (error) => {
      assert(error instanceof MeshMessageError && error.code === "mesh-policy-malformed");
      assert.match(error.message, message);
      return true;
    },
  );
}

describe("a policy", () => {
  it("is the same behind the wire, and the same octets again", () => {
    fc.assert(
      fc.property(anyPolicy, (policy) => {
        const octets = encodePolicy(policy);
        assert.deepEqual(structuredClone(parsePolicy(octets)), structuredClone(policy));
        assert.deepEqual(encodePolicy(parsePolicy(octets)), octets);
        // What was encoded before is put together with what was not.
        const same = toBinary(ProxyPolicySchema, fromBinary(ProxyPolicySchema, octets));
        assert.deepEqual(encodePolicy({ ...policy }), same);
      }),
    );
  });

  it("has one digest, whatever the order in which its ports were noted", () => {
    const [a, b] = [[80, "strict"] as const, [443, "disable"] as const];
    const digestOf = (ports: readonly (readonly [number, "strict" | "disable"])[]): string =>
      policyDigest(
        encodePolicy({ ...emptyPolicy, modes: { other: "permissive", ports: new Map(ports) } }),
      );
    assert.equal(digestOf([a, b]), digestOf([b, a]));
    assert.notEqual(digestOf([a, b]), digestOf([a]));
    assert.match(digestOf([a]), /^[0-9a-f]{64}$/);
  });

  it("is taken where what it has is whole", () => {
    const { clusters, outbound: ports } = parsePolicy(
      octetsOf({ inbound: [inbound], outbound: [outbound], clusters: [cluster] }),
    );
    assert.deepEqual([clusters.length, ports.length], [1, 1]);
  });
});

const refused: readonly (readonly [string, Init, RegExp])[] = [
  ["without a mode for the ports that it does not name", { otherMode: 0 }, /^other_mode: expected/],
  ["with port 0", { inbound: [{ ...inbound, port: 0 }] }, /^inbound\[0\]\.port: .* got 0$/],
  ["with port 65536", { inbound: [{ ...inbound, port: 65_536 }] }, /got 65536$/],
  ["with a bind that is no IP", { inbound: [{ ...inbound, bind: "localhost" }] }, /\.bind: /],
  ["with a protocol that is none", { inbound: [{ ...inbound, protocol: 0 }] }, /\.protocol: /],
  ["with an inbound port without a mode", { inbound: [{ ...inbound, mode: 0 }] }, /\.mode: /],
  ["with a port twice", { inbound: [inbound, inbound] }, /^inbound: expected each once$/],
  ["with an app nowhere", { inbound: [{ ...inbound, appHost: "" }] }, /\.app_host: /],
  ["with an app in two places", { inbound: [{ ...inbound, appPath: "/a" }] }, /\.app_path: /],
  [
    "with an app's path that no socket has",
    { inbound: [{ ...inbound, appHost: "", appPort: 0, appPath: `/${"a".repeat(108)}` }] },
    /1 to 108 characters, got 109$/,
  ],
  ["with too many ports", { inbound: Array.from({ length: 513 }, () => inbound) }, /at most 512/],
  [
    "with a mode for one port twice",
    { portModes: Array.from({ length: 2 }, () => ({ port: 80, mode: 1 as const })) },
    /^port_modes: expected each once$/,
  ],
  ["with a listener twice", { outbound: [outbound, outbound], clusters: [cluster] }, /^outbound: /],
  ["with a route to nowhere", { outbound: [outbound] }, /^outbound\[0\]\.routes: .*clusters/],
  [
    "with a TCP listener to two clusters",
    {
      outbound: [{ ...outbound, routes: [...outbound.routes, ...outbound.routes] }],
      clusters: [cluster],
    },
    /for TCP$/,
  ],
  [
    "with an HTTP route without a host",
    { outbound: [{ ...outbound, protocol: 2 }], clusters: [cluster] },
    /for HTTP$/,
  ],
  [
    "with an outbound port whose protocol is to be guessed",
    { outbound: [{ ...outbound, protocol: 3 }], clusters: [cluster] },
    /expected tcp, http, got 3$/,
  ],
  ["with a cluster twice", { clusters: [cluster, cluster] }, /^clusters: expected each once$/],
  ["with a cluster without a name", { clusters: [{ ...cluster, name: "" }] }, /\.name: /],
  [
    "that sends mTLS without saying to whom",
    { clusters: [{ ...cluster, endpoints: [{ ...endpoint, sends: 2 }] }] },
    /^clusters\[0\]\.mtls: expected it/,
  ],
  [
    "that originates TLS without saying how",
    { clusters: [{ ...cluster, mtls, endpoints: [{ ...endpoint, sends: 3 }] }] },
    /^clusters\[0\]\.origination: expected it/,
  ],
  [
    "with an endpoint that is sent nothing that we know",
    { clusters: [{ ...cluster, endpoints: [{ ...endpoint, sends: 0 }] }] },
    /\.endpoints\[0\]\.sends: /,
  ],
  [
    "with an endpoint without a port",
    { clusters: [{ ...cluster, endpoints: [{ ...endpoint, port: 0 }] }] },
    /\.endpoints\[0\]\.port: /,
  ],
  [
    "with an SNI that Envoy would not take",
    { clusters: [{ ...cluster, mtls: { ...mtls, sni: "s".repeat(256) } }] },
    /\.mtls\.sni: .* got 256$/,
  ],
  [
    "with too many endpoints",
    { clusters: [{ ...cluster, endpoints: Array.from({ length: 10_001 }, () => endpoint) }] },
    /^clusters\.endpoints: expected at most 10000/,
  ],
];

describe("refuses a policy", () => {
  for (const [what, init, message] of refused) it(what, () => refuses(init, message));

  it("of more than 1 MiB, unread", () => {
    assert.throws(() => parsePolicy(new Uint8Array(1_048_577)), { code: "mesh-policy-too-large" });
  });

  it("with a mode of a newer server", () => {
    const octets = Uint8Array.of((4 << 3) | WireType.Varint, 9);
    assert.throws(
      () => parsePolicy(octets),
      /^\w+: other_mode: .*disable, permissive, strict, got 9$/,
    );
  });

  it("whose octets are no message", () => {
    const octets = encodePolicy(policyOf("strict"));
    for (const wrong of [octets.subarray(0, -1), Uint8Array.of(0xff), Uint8Array.of(10, 200)]) {
      assert.throws(() => parsePolicy(wrong), { code: "mesh-policy-malformed" });
    }
  });

  it("never with anything but a typed error, however it was damaged", () => {
    const damaged = fc.tuple(anyPolicy, fc.nat(), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(damaged, ([policy, at, octet]) => {
        const octets = encodePolicy(policy);
        octets[at % octets.length] = octet;
        try {
          const taken = parsePolicy(octets);
          assert.deepEqual(parsePolicy(encodePolicy(taken)), taken);
        } catch (error) {
          if (!(error instanceof MeshMessageError)) throw error;
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
