import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseWorkloadApiAddress, WorkloadApiError } from "./workload-api-client.ts";

describe("the address of a Workload API (SPIFFE Workload Endpoint 4)", () => {
  const good = [
    ["unix:///run/agent.sock", "unix:/run/agent.sock"],
    ["/run/agent.sock", "unix:/run/agent.sock"],
    ["unix:///run/an agent/x.sock", "unix:/run/an agent/x.sock"],
    ["tcp://127.0.0.1:8081", "ipv4:127.0.0.1:8081"],
    ["tcp://127.0.0.1:65535", "ipv4:127.0.0.1:65535"],
    ["tcp://[::1]:8081", "ipv6:[::1]:8081"],
    ["tcp://[::ffff:127.0.0.1]:8081", "ipv6:[::ffff:127.0.0.1]:8081"],
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
    "unix://",
    "unix:///",
    "unix:/run/agent.sock",
    "UNIX:///run/agent.sock",
    " unix:///run/agent.sock",
    "unix:///run/agent.sock\n",
    "/run/agent\0.sock",
    "unix:///run/agent.sock?x=1",
    "unix:///run/agent.sock#x",
    "unix-abstract:agent",
    "tcp://localhost:8081",
    "tcp://127.0.0.1",
    "tcp://127.0.0.1:",
    "tcp://127.0.0.1:0",
    "tcp://127.0.0.1:65536",
    "tcp://127.0.0.1:08081",
    "tcp://127.0.0.1:-1",
    "tcp://127.0.0.1:8081\n",
    "tcp://127.1:8081",
    "tcp://256.0.0.1:8081",
    "tcp://::1:8081",
    "tcp://[::1]",
    "tcp://[fe80::1%eth0]:8081",
    "tcp://[127.0.0.1]:8081",
    "tcp:127.0.0.1:8081",
    "tcp://user@127.0.0.1:8081",
    "tcp://127.0.0.1:8081/",
    "tcp://127.0.0.1:8081?x=1",
    "127.0.0.1:8081",
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
