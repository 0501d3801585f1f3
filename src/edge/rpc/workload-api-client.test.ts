import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { status, type sendUnaryData, type Server } from "@grpc/grpc-js";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { SpiffeWorkloadAPI } from "../../gen/spiffe/workload/workload_pb.ts";
import { createLocalServer } from "./grpc-server.ts";
import { addService } from "./service-definition.ts";
import { listenOnUnixSocket } from "./unix-listener.ts";
import {
  parseWorkloadApiAddress,
  WorkloadApiClient,
  WorkloadApiError,
} from "./workload-api-client.ts";

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

describe("what a client says", () => {
  const ask = async (add?: (grpc: Server) => void): Promise<readonly WorkloadApiError[]> => {
    using directory = temporaryDirectory();
    const socket = join(directory.path, "agent.sock");
    const grpc = createLocalServer();
    add?.(grpc);
    await using owned = new AsyncDisposableStack();
    if (add !== undefined) owned.use(await listenOnUnixSocket(grpc, socket, 0o600));
    using client = new WorkloadApiClient(socket);
    const svids = client.x509Svids(new AbortController().signal);
    const outcomes = await Promise.allSettled([client.fetchJwtSvid(["db"], 5_000), svids.next()]);
    return outcomes.map((outcome) => {
      assert.ok(outcome.status === "rejected" && outcome.reason instanceof WorkloadApiError);
      return outcome.reason;
    });
  };

  it("of a socket without the service, a node agent's, is who has it", async () => {
    for (const { code, message, hint } of await ask(() => {})) {
      assert.equal(code, "workload-api-unsupported");
      assert.match(message, /agent\.sock: the Workload API is not served here$/);
      assert.match(String(hint), /node agent serves SDS .*agent without --node/);
    }
  });

  it("of an agent that cannot serve now is where the reason is", async () => {
    const answer = { code: status.UNAVAILABLE, details: "no JWT-SVID: file-missing" };
    const service = {
      fetchX509SVID: (call: { emit: (name: "error", error: object) => void }) => {
        call.emit("error", answer);
      },
      fetchJWTSVID: (_: unknown, reply: sendUnaryData<object>) => reply(answer),
    };
    for (const { code, message, hint } of await ask((grpc) =>
      addService(grpc, SpiffeWorkloadAPI, service),
    )) {
      assert.equal(code, "workload-api-unavailable");
      assert.match(message, /: no JWT-SVID: file-missing$/);
      assert.match(String(hint), /^the agent is there, and its log/);
    }
  });

  it("of a socket that is not there is that the agent may not run", async () => {
    for (const { code, hint } of await ask()) {
      assert.equal(code, "workload-api-unavailable");
      assert.match(String(hint), /^is the agent running/);
    }
  });
});
