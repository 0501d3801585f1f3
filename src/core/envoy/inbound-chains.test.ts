import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerMode } from "../policy/server-mode.ts";
import type { InboundProtocol } from "../policy/proxy-policy.ts";
import { chainFor, renderedChains } from "../../../test/support/rendered-chains.ts";
import { canaryServerName } from "./canary-chain.ts";
import { inboundChains, type InboundChain } from "./inbound-chains.ts";

/** What comes in, as Envoy's inspectors see it. */
interface Call {
  readonly transport: InboundChain["transport"];
  readonly serverName?: string;
  readonly alpn?: readonly string[];
  /** Of a workload of the mesh, or the canary's. */
  readonly certificate?: "workload" | "canary";
  /** What is said inside, if TLS is ended, or there is none. */
  readonly says: "http" | "tcp";
}

type Outcome = "http" | "tcp" | "canary" | "refused";

function outcome(mode: ServerMode, protocol: InboundProtocol, call: Call): Outcome {
  const chain = chainFor(renderedChains(mode, protocol), call);
  if (chain === undefined) return "refused";
  const wants = chain.name === "canary" ? "canary" : "workload";
  if (chain.endsTls && call.certificate !== wants) return "refused";
  const isOpaque = call.transport === "tls" && !chain.endsTls;
  if (chain.filter === "http" && (isOpaque || call.says !== "http")) return "refused";
  return chain.name === "canary" ? "canary" : chain.filter;
}

const http: Call = { transport: "raw_buffer", alpn: ["http/1.1"], says: "http" };
const http2: Call = { transport: "raw_buffer", alpn: ["h2c"], says: "http" };
const tcp: Call = { transport: "raw_buffer", says: "tcp" };
const tls: Call = { transport: "tls", says: "tcp" };
const https: Call = { transport: "tls", alpn: ["h2", "http/1.1"], says: "http" };
const mtlsTcp: Call = {
  transport: "tls",
  alpn: ["istio-peer-exchange", "istio"],
  certificate: "workload",
  says: "tcp",
};
const mtlsHttp: Call = {
  transport: "tls",
  alpn: ["istio-http/1.1", "istio", "http/1.1"],
  certificate: "workload",
  says: "http",
};
/** An Envoy whose configuration is not from here: it has the certificate and offers no ALPN of the mesh. */
const mtlsBare: Call = { transport: "tls", certificate: "workload", says: "tcp" };

/**
 * Istio's TestInbound (pilot/pkg/networking/core/sidecar_simulation_test.go), outcomes as facts: by disable, permissive, strict.
 * Where Istio's listener breaks off with a protocol error, ours has no chain: refused either way.
 */
const istio: readonly (readonly [
  title: string,
  protocol: InboundProtocol,
  call: Call,
  ...outcomes: readonly [Outcome, Outcome, Outcome],
])[] = [
  ["TCP to TCP", "tcp", tcp, "tcp", "tcp", "refused"],
  ["HTTP to TCP", "tcp", http, "tcp", "tcp", "refused"],
  ["TLS to TCP", "tcp", tls, "tcp", "tcp", "refused"],
  ["HTTPS to TCP", "tcp", https, "tcp", "tcp", "refused"],
  ["mTLS to TCP", "tcp", mtlsTcp, "tcp", "tcp", "tcp"],
  ["HTTP in mTLS to TCP", "tcp", mtlsHttp, "tcp", "tcp", "tcp"],
  ["HTTP to HTTP", "http", http, "http", "http", "refused"],
  ["HTTP/2 to HTTP", "http", http2, "http", "http", "refused"],
  ["TLS to HTTP", "http", tls, "refused", "refused", "refused"],
  ["HTTPS to HTTP", "http", https, "refused", "refused", "refused"],
  ["HTTP in mTLS to HTTP", "http", mtlsHttp, "refused", "http", "http"],
  ["TCP to HTTP", "http", tcp, "refused", "refused", "refused"],
  ["HTTP to a port that says nothing", "auto", http, "http", "http", "refused"],
  ["HTTP/2 to a port that says nothing", "auto", http2, "http", "http", "refused"],
  ["TCP to a port that says nothing", "auto", tcp, "tcp", "tcp", "refused"],
  ["TLS to a port that says nothing", "auto", tls, "tcp", "tcp", "refused"],
  ["HTTPS to a port that says nothing", "auto", https, "tcp", "tcp", "refused"],
  ["mTLS to a port that says nothing", "auto", mtlsTcp, "tcp", "tcp", "tcp"],
  ["HTTP in mTLS to a port that says nothing", "auto", mtlsHttp, "tcp", "http", "http"],
];

const modes: readonly ServerMode[] = ["disable", "permissive", "strict"];
for (const [title, protocol, call, ...outcomes] of istio) {
  test(`${title} comes through, or not, as with Istio`, () => {
    assert.deepEqual(
      modes.map((mode) => outcome(mode, protocol, call)),
      outcomes,
    );
  });
}

test("strict takes a certificate of the mesh without its ALPN, and from nobody anything else", () => {
  for (const protocol of ["tcp", "auto"] as const) {
    assert.equal(outcome("strict", protocol, mtlsBare), "tcp");
    for (const chain of inboundChains("strict", protocol)) assert.equal(chain.endsTls, true);
  }
  assert.equal(outcome("strict", "http", { ...mtlsBare, says: "http" }), "http");
});

test("a stranger's certificate with the mesh's ALPN is refused, and never passed through", () => {
  for (const protocol of ["tcp", "http", "auto"] as const) {
    for (const mode of ["permissive", "strict"] as const) {
      for (const { certificate: _, ...strange } of [mtlsTcp, mtlsHttp]) {
        assert.equal(outcome(mode, protocol, strange), "refused");
      }
    }
  }
});

test("the chains for mTLS are the same in permissive and strict: their connections survive a change", () => {
  for (const protocol of ["tcp", "http", "auto"] as const) {
    const [permissive, strict] = (["permissive", "strict"] as const).map((mode) =>
      inboundChains(mode, protocol).filter(
        ({ name }) => name === "mtls-http" || name === "mtls-tcp",
      ),
    );
    assert.ok(permissive !== undefined && permissive.length > 0);
    assert.deepEqual(strict, permissive);
  }
});

test("no two chains of a port match the same, and each has a name of its own", () => {
  for (const protocol of ["tcp", "http", "auto"] as const) {
    for (const mode of modes) {
      const chains = inboundChains(mode, protocol);
      const matches = chains.flatMap(({ transport, alpn }) =>
        (alpn.length === 0 ? ["*"] : alpn).map((each) => `${transport} ${each}`),
      );
      assert.equal(new Set(matches).size, matches.length);
      assert.equal(new Set(chains.map(({ name }) => name)).size, chains.length);
    }
  }
});

test("the canary comes to its own chain in every mode, and nobody else does", () => {
  for (const protocol of ["tcp", "http", "auto"] as const) {
    for (const mode of modes) {
      for (const call of [mtlsTcp, mtlsHttp, mtlsBare, { ...https, certificate: "workload" }]) {
        const canary = { ...call, certificate: "canary", says: "http" } as const;
        const named = { serverName: canaryServerName };
        assert.equal(outcome(mode, protocol, { ...canary, ...named }), "canary");
        assert.equal(
          outcome(mode, protocol, { ...canary, ...named, certificate: "workload" }),
          "refused",
        );
        // Without its name it is a stranger to every chain that ends TLS.
        assert.notEqual(outcome(mode, protocol, canary), "canary");
        if (mode === "strict") assert.equal(outcome(mode, protocol, canary), "refused");
      }
    }
  }
});
