import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseWorkloadApiAddress, WorkloadApiError } from "./workload-api-client.ts";

describe("the address of a Workload API (SPIFFE Workload Endpoint 4)", () => {
  const good = [
    ["unix:///run/agent.sock", "unix:/run/agent.sock"],
    ["/run/agent.sock", "unix:/run/agent.sock"],
    ["tcp://127.0.0.1:8081", "ipv4:127.0.0.1:8081"],
    ["tcp://[::1]:8081", "ipv6:[::1]:8081"],
  ] as const;
  for (const [address, target] of good) {
    it(`may be ${address}`, () => {
      assert.equal(parseWorkloadApiAddress(address), target);
    });
  }

  const bad = [
    "",
    "run/agent.sock",
    "unix:run/agent.sock",
    "unix://host/run/agent.sock",
    "unix:///run/agent.sock?x=1",
    "tcp://localhost:8081",
    "tcp://127.0.0.1",
    "tcp://127.0.0.1:0",
    "tcp://127.0.0.1:8081/path",
    "http://127.0.0.1:8081",
  ];
  for (const address of bad) {
    it(`is not ${JSON.stringify(address)}`, () => {
      assert.throws(
        () => parseWorkloadApiAddress(address),
        (error) => error instanceof WorkloadApiError && error.code === "workload-api-address",
      );
    });
  }
});
