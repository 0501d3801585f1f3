import assert from "node:assert/strict";
import { test } from "node:test";
import { sumFailures, tlsCounters } from "./tls-counters.ts";

test("takes the counters of its scope, and absent ones as 0", () => {
  const stats = new Map([
    ["listener.inbound_1.ssl.handshake", 7],
    ["listener.inbound_1.ssl.session_reused", 1],
    ["listener.inbound_1.ssl.fail_verify_san", 2],
    ["listener.inbound_1.ssl.connection_error", 3],
    ["listener.inbound_12.ssl.handshake", 100],
    ["listener.inbound_12.ssl.fail_verify_error", 100],
  ]);
  const counters = tlsCounters(stats, "listener.inbound_1.ssl");
  assert.equal(counters.handshakes, 7);
  assert.equal(counters.resumed, 1);
  assert.equal(counters.failures.fail_verify_error, 0);
  assert.equal(sumFailures(counters), 5);
});
