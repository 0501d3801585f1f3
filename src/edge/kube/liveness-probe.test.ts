import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KubeConnection } from "./kube-connection.ts";
import { LivenessProbe, type LivenessProblem } from "./liveness-probe.ts";

describe("the question whether the API server lives", () => {
  /** Of the answers to come; the last one stays. */
  let statuses: number[] = [];
  let stack: AsyncDisposableStack;
  let connection: KubeConnection;

  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    const server = createServer((_, response) => {
      const [status = 200] = statuses.length > 1 ? statuses.splice(0, 1) : statuses;
      response.statusCode = status;
      response.end(status === 200 ? "ok" : "[-]etcd failed: reason withheld");
    });
    server.listen(0, "127.0.0.1");
    stack.defer(() => void server.close());
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const access = {
      server: new URL(`http://127.0.0.1:${port}`),
      credentials: async () => ({ headers: {}, tls: {} }),
    };
    connection = stack.use(new KubeConnection({ access }));
  });
  afterEach(async () => stack.disposeAsync());

  /** What is told until `isEnough`. */
  async function toldUntil(
    isEnough: (told: readonly (LivenessProblem | undefined)[]) => boolean,
  ): Promise<readonly (LivenessProblem | undefined)[]> {
    const told: (LivenessProblem | undefined)[] = [];
    const options = { connection, nowMs: () => 7, intervalMs: 2, deadlineMs: 5_000 };
    await using probe = new LivenessProbe({ ...options, onChange: (now) => told.push(now) });
    const untilMs = performance.now() + 5_000;
    while (!isEnough(told) && performance.now() < untilMs) await sleep(2);
    assert.deepEqual(probe.problem, told.at(-1));
    return told;
  }

  it("says what the answer is, and what to do, while it is no success", async () => {
    statuses = [500];
    const [problem] = await toldUntil((told) => told.length > 0);
    assert.deepEqual(problem, {
      reason: "kube-unavailable",
      detail: "last GET /livez: 500 [-]etcd failed: reason withheld",
      hint: "is the API server well? kubectl get --raw '/livez?verbose'",
    });
  });

  it("says that nothing can be proven without HTTP/2", async () => {
    statuses = [200];
    const [problem] = await toldUntil((told) => told.length > 0);
    assert.equal(problem?.reason, "no-http2");
    assert.match(problem.detail, /^no HTTP\/2 .*: watches cannot be proven current$/);
    assert.match(problem.hint, /no --disable-http2-serving/);
  });

  it("tells each change once, and no single failure", async () => {
    const failed = [500, 503, 500, 500];
    statuses = [200, 500, 200, 500, 500, 200, ...failed, 200, 200, ...failed, 200];
    const told = await toldUntil((all) => all.length >= 5);
    assert.deepEqual(
      told.map((each) => each?.reason),
      ["no-http2", "kube-unavailable", "no-http2", "kube-unavailable", "no-http2"],
    );
  });
});
