import assert from "node:assert/strict";
import { test } from "node:test";
import { adsBootstrap, type AdsBootstrapOptions } from "./ads-bootstrap.ts";
import { BootstrapError } from "./bootstrap.ts";

const options: AdsBootstrapOptions = {
  nodeId: "proxy-1",
  nodeCluster: "shop",
  labels: new Map(),
  variant: "delta",
  sdsSocketPath: "/run/portcullis/sds.sock",
  adminSocketPath: "/run/portcullis/admin.sock",
};

test("has no listener, and takes listeners and clusters from ADS without an end to the waiting", () => {
  const bootstrap = JSON.stringify(adsBootstrap(options));
  assert.doesNotMatch(bootstrap, /"listeners"/);
  assert.equal(
    bootstrap.split('{"ads":{},"resource_api_version":"V3","initial_fetch_timeout":"0s"}').length,
    3,
  );
});

test("speaks the variant that it is told", () => {
  for (const [variant, apiType] of [
    ["delta", "DELTA_GRPC"],
    ["sotw", "GRPC"],
  ] as const) {
    const bootstrap = JSON.stringify(adsBootstrap({ ...options, variant }));
    assert.match(bootstrap, new RegExp(`"api_type":"${apiType}"`));
  }
});

test("says its labels in the node's metadata, under Istio's name", () => {
  const labels = new Map([["app", "web"]]);
  const { node } = adsBootstrap({ ...options, labels });
  const metadata = { LABELS: { app: "web" } };
  assert.deepEqual(node, { id: "proxy-1", cluster: "shop", metadata });
  assert.deepEqual(adsBootstrap(options)["node"], { id: "proxy-1", cluster: "shop" });
});

test("reads a token's file by Google's gRPC client, which takes large answers, and in the agent's cluster", () => {
  const sdsCredential = {
    kind: "token-file",
    path: "/var/run/secrets/tokens/istio-token",
  } as const;
  const text = JSON.stringify(adsBootstrap({ ...options, sdsCredential }));
  assert.match(text, /"filename":"\/var\/run\/secrets\/tokens\/istio-token"/);
  assert.match(text, /"grpc.max_receive_message_length"/);
  assert.match(text, /"static_resources":\{"clusters":\[\{"name":"sds-grpc"/);
});

const refused: readonly (readonly [string, Partial<AdsBootstrapOptions>, string])[] = [
  ["without a node id", { nodeId: "" }, "node-missing"],
  ["with a relative socket path", { sdsSocketPath: "sds.sock" }, "socket-path-invalid"],
];
for (const [what, change, code] of refused) {
  test(`refuses a bootstrap ${what}`, () => {
    assert.throws(
      () => adsBootstrap({ ...options, ...change }),
      (error) => error instanceof BootstrapError && error.code === code,
    );
  });
}
