/**
 * Ten workloads from permissive to strict and back, with real Envoys, real callers, the operator's own verbs, and a server that is killed
 * at each part of it. Scaled: the look-back is 30 s, and who calls once a minute calls every 15 s.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isUnknownAtOnce, waitsForAgent } from "./agent-away.ts";
import { FlipMesh } from "./flip-mesh.ts";
import { movedTraffic, webTraffic } from "./load.ts";
import { apis, legacy } from "./manifests.ts";
import type { Traffic } from "../policy-mesh/traffic.ts";
import { callersOf, isSafe, type CheckValue } from "./operator.ts";
import { flood, unknownAddress } from "./outsiders.ts";
import { takeBackByName } from "./refused-by-name.ts";
import { UnmeshedCallers } from "./unmeshed-callers.ts";
import { plaintextCall } from "./unmeshed-calls.ts";

const target = "shop/api";
const callersBefore: readonly string[] = [
  "legacy/cron unmeshed-workload plaintext",
  "legacy/ledger unmeshed-workload passthrough",
  "legacy/mover unmeshed-workload plaintext",
  "legacy/report unmeshed-workload plaintext",
  "shop/api-0 own-host plaintext",
];

test("ten workloads become strict and permissive again", { timeout: 600_000 }, async (t) => {
  await using mesh = await FlipMesh.open("30s");
  const { operator, ports } = mesh;
  const { traffic, kept } = webTraffic(ports);
  await using running = traffic;
  await using own = new AsyncDisposableStack();
  await using callers = new UnmeshedCallers(mesh);
  const first = { address: apis[0]?.address ?? "", port: ports.http };
  const from = (localAddress: string) => ({ ...first, localAddress });

  let hasFailed = false;
  /** What comes after a part that has failed says nothing. */
  const part = async (title: string, run: () => Promise<void>): Promise<void> =>
    await t.test(title, { skip: hasFailed }, async () => {
      hasFailed = true;
      await run();
      hasFailed = false;
    });

  await part("check names exactly who sends no mTLS, and a flip is refused", async () => {
    await sleep(2_000);
    await mesh.crash();
    await callers.changeAddress();
    const { code, value } = await operator.checkUntil(target, hasAll, 30_000);
    assert.equal(code, 4);
    assert.equal(value.verdict, "unsafe");
    assert.deepEqual(callersOf(value), callersBefore);
    const mover = value.callers.find(({ name }) => name === "legacy/mover");
    assert.deepEqual(mover?.addresses, ["127.2.2.4", "127.2.2.5"]);
    const probe = value.callers.find(({ name }) => name === "shop/api-0");
    assert.equal(probe?.claim, "kube-probe/1.31");
    assert.ok(callers.areServed);
    const flip = await operator.say("mtls", "flip", target, "--to", "strict", "--yes");
    assert.equal(flip.code, 4, flip.out + flip.err);
    assert.match(flip.out + flip.err, /legacy\/cron/);
  });

  let moved: Traffic | undefined;
  await part("those who sent no mTLS get proxies", async () => {
    await callers.move();
    moved = own.use(movedTraffic(ports));
  });
  await part("it is safe when they have moved", async () => {
    const { code, value } = await operator.checkUntil(target, isSafe, 90_000);
    assert.equal(code, 0);
    assert.ok(value.mtlsConnections > 500, `${value.mtlsConnections} connections`);
  });
  await part("check does not know from the moment when an agent is away, and names it", async () =>
    isUnknownAtOnce(mesh),
  );

  const words = ["--stages", "1,30%,all", "--revert-window", "20s", "--revert-on-refused", "2"];
  await using flip = operator.begin("mtls", "flip", target, "--to", "strict", "--yes", ...words);
  await part("a flip opens no stage while an agent is away, says so, and goes on", async () =>
    waitsForAgent(mesh, flip),
  );
  await part("a stage that is open stays open when the server is killed", async () => {
    await flip.says(/stage 1 of 3 \(1\) is open: shop\/api-0\n/);
    await mesh.crash();
    await flip.says(/stage 1 of 3 \(1\): 1 of 1 workloads refuse plaintext/);
    assert.equal(await plaintextCall(from(legacy.late.address)), "");
  });
  await part("a late caller is refused, and named", async () => {
    await flip.says(/refused caller: legacy\/late \(workload without a proxy\)/);
  });
  await part("the other stages follow", async () => {
    await flip.says(/stage 2 of 3 \(30%\) is open: shop\/api-1, shop\/api-2\n/, 90_000);
    await flip.says(/stage 3 of 3 \(all\) is open/, 90_000);
    await flip.says(/all stages are open/, 90_000);
  });
  await part("an outsider's flood takes nothing back", async () => {
    await flood(first);
    await mesh.crash();
    await flood(first);
    assert.equal(await flip.ended(), 0, flip.out + flip.err);
    assert.match(flip.out, /done: shop\/api is strict: 10 workloads in 3 stages/);
    if (unknownAddress !== undefined) {
      assert.ok(flip.out.includes(`refused caller: ${unknownAddress} `), flip.out);
    }
    const { value } = await operator.check(target, "--look-back", "10m");
    const late = value.callers.filter(({ name }) => name === "legacy/late");
    assert.deepEqual(
      late.map(({ kind, refused }) => `${kind} ${refused}`),
      ["plaintext true"],
    );
  });
  await part("a revert that is asked for comes, also when the server is killed", async () => {
    const startMs = performance.now();
    await using revert = operator.begin("mtls", "revert", target, "--reason", "billing fails");
    await revert.says(/is being taken back/);
    await mesh.crash();
    assert.equal(await revert.ended(), 0, revert.out + revert.err);
    const tookMs = Math.round(performance.now() - startMs);
    t.diagnostic(`taken back in ${tookMs} ms, with a restart of the server`);
    assert.ok(tookMs < 15_000);
    for (const { address } of apis) {
      const answer = await plaintextCall({ ...from(legacy.late.address), address });
      assert.match(answer, /^HTTP\/1\.1 200/);
    }
    assert.match(await operator.does("get", "pa", "api", "-n", "shop", "-o", "yaml"), /PERMISSIVE/);
  });
  await part("workloads that are refused by name take a flip back, once", async () =>
    takeBackByName(mesh),
  );
  await part("no request of the mesh has failed, and no connection was closed", async () => {
    await moved?.stop();
    await running.stop();
    assert.deepEqual([...running.failures, ...(moved?.failures ?? [])], []);
    assert.equal(kept.closed, 0);
    assert.ok(running.sent > 10_000, `${running.sent} sent`);
    t.diagnostic(`${running.sent + (moved?.sent ?? 0)} requests`);
    const served = running.tally("http");
    assert.equal(served.plaintext, 0);
  });
});

function hasAll(value: CheckValue): boolean {
  const addresses = value.callers.find(({ name }) => name === "legacy/mover")?.addresses ?? [];
  return value.callers.length >= callersBefore.length && addresses.length > 1;
}
