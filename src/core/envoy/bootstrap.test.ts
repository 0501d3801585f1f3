import assert from "node:assert/strict";
import { test } from "node:test";
import { TrustDomain } from "../spiffe/id.ts";
import { BootstrapError, envoyBootstrap, type BootstrapOptions } from "./bootstrap.ts";
import { parseInbound, parseOutbound } from "./listen.ts";

const options: BootstrapOptions = {
  nodeId: "proxy-1",
  nodeCluster: "shop",
  trustDomain: TrustDomain.parse("td.test"),
  sdsSocketPath: "/run/portcullis/sds.sock",
  adminSocketPath: "/run/portcullis/admin.sock",
  inbound: [parseInbound("127.0.0.1:8443=127.0.0.1:8080")],
  outbound: [
    parseOutbound("127.0.0.1:9001=server.shop.svc:8443@spiffe://td.test/ns/shop/sa/server"),
  ],
};

test("always makes the same bytes: a changed SDS source may never get its secret", () => {
  assert.equal(JSON.stringify(envoyBootstrap(options)), JSON.stringify(envoyBootstrap(options)));
});

test("keeps the admin interface to its owner", () => {
  const admin = { address: { pipe: { path: "/run/portcullis/admin.sock", mode: 0o600 } } };
  assert.deepEqual(envoyBootstrap(options)["admin"], admin);
});

test("lets an idle Envoy sleep: its watchdogs look once a second", () => {
  const watchdog = { miss_timeout: "1s" };
  const watchdogs = { main_thread_watchdog: watchdog, worker_watchdog: watchdog };
  assert.deepEqual(envoyBootstrap(options)["watchdogs"], watchdogs);
});

test("names only DNS hosts as TLS server names", () => {
  const outbound = [parseOutbound("127.0.0.1:9001=192.0.2.1:8443@spiffe://td.test/ns/a/sa/b")];
  assert.match(JSON.stringify(envoyBootstrap(options)), /"sni":"server\.shop\.svc"/);
  assert.doesNotMatch(JSON.stringify(envoyBootstrap({ ...options, outbound })), /"sni"/);
});

test("reads a token's file by Google's gRPC client, which needs no cluster", () => {
  const credential = { kind: "token-file", path: "/var/run/secrets/tokens/istio-token" } as const;
  const text = JSON.stringify(envoyBootstrap({ ...options, sdsCredential: credential }));
  assert.equal(text.split('"filename":"/var/run/secrets/tokens/istio-token"').length - 1, 4);
  assert.match(text, /"target_uri":"unix:\/run\/portcullis\/sds\.sock"/);
  assert.match(text, /"local_credentials":\{\}/);
  assert.doesNotMatch(text, /sds-grpc/);
});

test("sends a token that is in the bootstrap by Envoy's own client, and only then", () => {
  const credential = { kind: "token", token: "a.b.c" } as const;
  const text = JSON.stringify(envoyBootstrap({ ...options, sdsCredential: credential }));
  assert.equal(text.split('{"key":"authorization","value":"Bearer a.b.c"}').length - 1, 4);
  assert.doesNotMatch(text, /google_grpc/);
  assert.doesNotMatch(JSON.stringify(envoyBootstrap(options)), /google_grpc|initial_metadata/);
});

const refused: readonly (readonly [string, Partial<BootstrapOptions>, string])[] = [
  ["without a node id", { nodeId: "" }, "node-missing"],
  ["without a node cluster", { nodeCluster: "" }, "node-missing"],
  ["with a relative socket path", { sdsSocketPath: "sds.sock" }, "socket-path-invalid"],
  ["with a long socket path", { adminSocketPath: `/${"a".repeat(103)}` }, "socket-path-invalid"],
  ["without a listener", { inbound: [], outbound: [] }, "listener-missing"],
  ["with one port twice", { inbound: [parseInbound("[::]:9001=a:1")] }, "listen-port-taken"],
];

for (const [what, change, code] of refused) {
  test(`refuses a bootstrap ${what}`, () => {
    assert.throws(
      () => envoyBootstrap({ ...options, ...change }),
      (error) => error instanceof BootstrapError && error.code === code,
    );
  });
}
