import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSummary } from "./summary-text.ts";
import { unmetConditions, type EnvoySummary, type Summary } from "./summary.ts";

const envoy: EnvoySummary = {
  renewals: { acked: 2, used: 2 },
  nacks: 0,
  tls: {
    handshakes: 120,
    resumed: 0,
    failures: {
      connection_error: 0,
      fail_verify_no_cert: 0,
      fail_verify_error: 0,
      fail_verify_san: 0,
      fail_verify_cert_hash: 0,
    },
  },
};

const good: Summary = {
  seed: 7,
  elapsedMs: 58_000,
  requests: { sent: 100, failed: 0, latencyMs: { p50: 2, p99: 5, max: 9 } },
  probes: { sent: 20, failed: 0 },
  failures: [],
  controlPlane: { killedAtMs: 6_000, awayMs: 12_100 },
  agent: { workload: "client", killedAtMs: 9_000, awayMs: 1_010 },
  certificatesSigned: 9,
  envoys: { client: envoy, server: envoy },
  signToFirstHandshakeMs: [12, 15],
};

test("passes a run in which nothing failed", () => {
  assert.deepEqual(unmetConditions(good), []);
});

test("fails a run for each condition by itself, and says which", () => {
  const failures = { ...envoy.tls.failures, fail_verify_san: 1 };
  const table: readonly (readonly [string, RegExp, Summary])[] = [
    ["no request", /expected requests/, { ...good, requests: { ...good.requests, sent: 0 } }],
    [
      "a request",
      /1 of 100 requests failed/,
      { ...good, requests: { ...good.requests, failed: 1 } },
    ],
    ["a probe", /1 of 20 direct/, { ...good, probes: { sent: 20, failed: 1 } }],
    ["a kill", /control plane to be away/, { ...good, controlPlane: { killedAtMs: 0, awayMs: 0 } }],
    [
      "handshakes",
      /expected 120 handshakes.* got 119/,
      withServer({ tls: { ...envoy.tls, handshakes: 119 } }),
    ],
    ["ACKs", /server's Envoy to have ACKed 2/, withServer({ renewals: { acked: 1, used: 2 } })],
    ["use", /server's Envoy to have used 2/, withServer({ renewals: { acked: 2, used: 1 } })],
    ["a NACK", /server's Envoy refused 1/, withServer({ nacks: 1 })],
    ["TLS", /server's Envoy counted 1 failed/, withServer({ tls: { ...envoy.tls, failures } })],
    ["resumption", /server's Envoy resumed 3/, withServer({ tls: { ...envoy.tls, resumed: 3 } })],
  ];
  for (const [name, complaint, summary] of table) {
    const unmet = unmetConditions(summary);
    assert.equal(unmet.length, 1, name);
    assert.match(unmet[0] ?? "", complaint);
  }
  const client = { ...envoy, renewals: { acked: 1, used: 0 } };
  const unmet = unmetConditions({ ...good, envoys: { client, server: envoy } });
  assert.deepEqual(
    unmet.map((complaint) => /client's Envoy to have (\w+)/.exec(complaint)?.[1]),
    ["ACKed", "used"],
  );
});

test("says the verdict last, in 100 columns of plain text where colours are not wanted", () => {
  const passed = formatSummary(good, false);
  assert.match(passed.at(-1) ?? "", /^PASS: /);
  const failed = formatSummary(
    { ...good, probes: { sent: 20, failed: 1 }, failures: [{ atMs: 1_500, reason: "ECONNRESET" }] },
    false,
  );
  assert.match(failed.at(-1) ?? "", /^FAIL: 1 of 20/);
  assert(failed.includes("failed at +1.5s: ECONNRESET"));
  for (const line of [...passed, ...failed]) {
    assert(line.length <= 100, line);
    assert.doesNotMatch(line, /\p{Cc}/u);
  }
});

function withServer(change: Partial<EnvoySummary>): Summary {
  return { ...good, envoys: { client: envoy, server: { ...envoy, ...change } } };
}
