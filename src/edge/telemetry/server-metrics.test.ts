import assert from "node:assert/strict";
import { test } from "node:test";
import { ServerMetrics } from "./server-metrics.ts";

const nowMs = 1_700_000_000_000;

function metricsWith(bundleEndpointNotAfterMs: () => number | undefined): ServerMetrics {
  return new ServerMetrics({
    rootNotAfterMs: () => nowMs + 10_000,
    chainNotAfterMs: () => nowMs - 10_000,
    servingNotAfterMs: () => nowMs,
    signerAvailable: () => true,
    logSize: () => 0,
    logWritable: () => true,
    clockGood: () => true,
    bundleEndpointNotAfterMs,
    queueDepth: () => 0,
    agentsConnected: () => 0,
    proxies: () => ({ connected: 0, absent: 0 }),
    bundleSequence: () => 1,
    nowMs: () => nowMs,
  });
}

test("tells when each certificate expires, and of the bundle endpoint only while it has one", async () => {
  let notAfterMs: number | undefined = nowMs + 1_500;
  const { registry } = metricsWith(() => notAfterMs);
  const expiries = async (): Promise<readonly string[]> =>
    (await registry.metrics()).split("\n").filter((line) => /^\w+_expiry_seconds /.test(line));
  const others = [
    "citadel_server_root_cert_expiry_seconds 10",
    "citadel_server_cert_chain_expiry_seconds -10",
    "portcullis_serving_cert_expiry_seconds 0",
  ];
  const endpoint = "portcullis_bundle_endpoint_cert_expiry_seconds 1";
  assert.deepEqual(await expiries(), [...others, endpoint]);
  assert.match(
    await registry.metrics(),
    /^portcullis_bundle_endpoint_cert_expiry_timestamp 1700000001$/m,
  );
  notAfterMs = undefined;
  assert.deepEqual(await expiries(), others);
});
