/** What becomes of a call, by the policies and Sidecars that there are: the calls that Istio simulates. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PolicyIndex } from "../../src/core/policy/policy-index.ts";
import { modeOf } from "../../src/core/policy/port-modes.ts";
import type { InboundProtocol } from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { labelsOf } from "../support/policy-objects.ts";
import { chainFor, renderedChains } from "../support/rendered-chains.ts";
import { readObjects, readVectors, type WrittenObject } from "./istio-vectors.ts";

type CallKind = "http" | "tcp" | "tls" | "https" | "mtls" | "mtls-http";

interface Vectors {
  readonly objects: Readonly<Record<string, WrittenObject>>;
  readonly suites: readonly {
    readonly name: string;
    /** Where ours refuses what its configurations have. */
    readonly refused?: string;
    readonly configs: readonly {
      readonly name: string;
      readonly objects: readonly string[];
      readonly calls: readonly {
        readonly call: CallKind;
        readonly port: number;
        readonly protocol: InboundProtocol;
        readonly istio: string;
      }[];
    }[];
  }[];
}

interface Call {
  readonly transport: "tls" | "raw_buffer";
  /** As the inspectors see it. */
  readonly alpn: readonly string[];
  readonly hasCertificate: boolean;
  readonly isHttp: boolean;
}

const raw = { transport: "raw_buffer", hasCertificate: false } as const;
const tls = { transport: "tls", hasCertificate: false } as const;
const mtls = { transport: "tls", hasCertificate: true, isHttp: true } as const;

const calls: Readonly<Record<CallKind, Call>> = {
  http: { ...raw, alpn: ["http/1.1"], isHttp: true },
  tcp: { ...raw, alpn: [], isHttp: false },
  tls: { ...tls, alpn: [], isHttp: false },
  https: { ...tls, alpn: ["h2", "http/1.1"], isHttp: true },
  mtls: { ...mtls, alpn: ["istio"] },
  "mtls-http": { ...mtls, alpn: ["istio-http/1.1", "istio", "http/1.1"] },
};

function comesThrough(mode: ServerMode, protocol: InboundProtocol, call: Call): boolean {
  const chain = chainFor(renderedChains(mode, protocol), call);
  if (chain === undefined || (chain.endsTls && !call.hasCertificate)) return false;
  const isReadable = call.transport === "raw_buffer" || chain.endsTls;
  return chain.filter === "tcp" || (isReadable && call.isHttp);
}

const { objects: named, suites } = readVectors("inbound.json") as Vectors;

for (const { name: suite, refused: path, configs } of suites) {
  describe(suite, () => {
    for (const { name: config, objects: names, calls: made } of configs) {
      const written = names.map((name) => named[name]).filter((each) => each !== undefined);
      assert.equal(written.length, names.length);
      const { objects, refused } = readObjects(written);
      if (path !== undefined) {
        test(`${config} is refused`, () => {
          assert.deepEqual(refused, [path]);
        });
        continue;
      }
      assert.deepEqual(refused, []);
      const index = new PolicyIndex("td.test");
      for (const each of objects) index.set(each);
      const claimedLabels = labelsOf({ app: "foo" });
      const of = { namespace: "default", serviceAccount: "foo", nodeId: "foo-1", claimedLabels };
      index.addProxy({ key: "foo", ...of });
      for (const { call, port, protocol, istio } of made) {
        test(`${config}: ${call} to ${port}`, () => {
          const desired = index.desired("foo");
          assert.ok(desired);
          const listener = desired.inbound.find((each) => each.port === port);
          const hasListener = names.some((name) => {
            return name.startsWith("sidecar") && name.includes(String(port));
          });
          assert.equal(listener !== undefined, hasListener);
          const mode = modeOf(desired.modes, port);
          assert.equal(mode, index.portDecision("foo", port)?.mode);
          if (listener !== undefined)
            assert.deepEqual([listener.mode, listener.protocol], [mode, protocol]);
          const isThrough = istio === "inbound" || istio === "passthrough";
          assert.equal(comesThrough(mode, protocol, calls[call]), isThrough);
        });
      }
    }
  });
}
