/** A namespace is never called strict where other objects say otherwise: each is named, with a command, by every answer. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkMtls, getFlips, makePermissive, planFlips } from "../../src/edge/rpc/flip-client.ts";
import { runWith } from "../server/root-rig.ts";
import { eventually } from "../support/control-plane.ts";
import {
  begun,
  inForce,
  modesAre,
  openScene,
  operator,
  ordered,
  peerYaml,
  reached,
  refusedStart,
  revert,
  settle,
  verdictNow,
  type FlipsScene,
} from "./flips-rig.ts";

const apiAndWeb = { names: ["api-0", "web-0"] };

const webPolicy = (mode: string): string => `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: web, namespace: shop }
spec: { selector: { matchLabels: { app: web } }, mtls: { mode: ${mode} } }
`;

const say = async ({ admin }: FlipsScene, line: string, world: object = {}) =>
  await runWith([...line.split(" "), "--admin", admin], world);

describe("a namespace with an object of its own for one of two", () => {
  it(
    "is checked and flipped but for that one, which is named with its command",
    { timeout: 60_000 },
    async () => {
      await using scene = await openScene(apiAndWeb);
      const { verdict, proxies, decidedByOthers } = await verdictNow(scene, "shop");
      assert.deepEqual([verdict, proxies], ["safe", 1]);
      assert.deepEqual(
        decidedByOthers.map(({ target, object, mode, workloads, count }) =>
          [target, object?.kind, object?.name, mode, ...workloads, count].join(" "),
        ),
        ["shop/api PeerAuthentication api permissive shop/api-0 1"],
      );
      const check = await say(scene, "mtls check shop");
      assert.equal(check.status, 0);
      assert.match(
        check.stdout,
        /^note: 1 workload is no part of it: shop\/api is decided by PeerAuthentication shop\/api \(permissive\)$/m,
      );
      assert.match(
        check.stdout,
        /^next: check shop\/api by itself: portcullis mtls check .* shop\/api$/m,
      );
      using stop = new DisposableStack();
      const looking = new AbortController();
      // Where the test fails, nobody looks any more.
      stop.defer(() => looking.abort());
      const line = "mtls flip shop --to strict --stages all --revert-window 60s --yes";
      const following = say(scene, line, { signal: looking.signal });
      await eventually(async () => (await getFlips(scene.admin, "shop")).length > 0);
      await eventually(async () => {
        await settle(scene);
        return (await getFlips(scene.admin, "shop")).at(-1)?.state === "watching";
      });
      scene.clock.advance(61_000);
      await scene.covered();
      const done = await following;
      assert.equal(done.status, 0, done.stderr);
      assert.match(done.stderr, /^note: 1 workload is no part of it: shop\/api /m);
      assert.match(
        done.stdout,
        /^done: shop is strict but for 1: shop\/api: 1 workload in 1 stage/m,
      );
      const again = await refusedStart(scene, { target: "shop" });
      assert.match(again.message, /got strict already, but for shop\/api$/);
      assert.match(again.hint, /portcullis mtls check shop\/api/);
      const plan = await planFlips(scene.admin, {
        namespace: "shop",
        operator,
        lookBack: undefined,
      });
      assert.deepEqual(
        plan.map(({ target, decidedBy }) => [target, decidedBy?.name ?? ""]),
        [
          ["shop/api", "api"],
          ["shop/web-0", ""],
        ],
      );
    },
  );

  it("is refused where all of it is decided so, with a command for each", async () => {
    await using scene = await openScene(apiAndWeb);
    await scene.apply(webPolicy("PERMISSIVE"));
    const { result } = await checkMtls(scene.admin, {
      target: "shop",
      operator,
      lookBack: undefined,
    });
    if (result.case !== "refused") assert.fail("it was judged");
    const start = await refusedStart(scene, { target: "shop" });
    for (const { code, hint } of [result.value, start]) {
      assert.equal(code, "target-decided-by-others");
      assert.equal(hint, "portcullis mtls check shop/api; portcullis mtls check shop/web");
    }
  });
});

describe("beside a flip that is under way", () => {
  it("nothing is STRICT already, and what is offered is to follow it", async () => {
    await using scene = await openScene({ names: ["api-0", "api-1"] });
    await begun(scene);
    await inForce(scene, 0);
    const { strictAlready, flips } = await verdictNow(scene);
    assert.equal(strictAlready, false);
    assert.deepEqual(
      flips.map(({ id, target, state, strict, workloads }) =>
        [id, target, state, strict, workloads].join(" "),
      ),
      ["1 shop/api stage 1 2"],
    );
    const check = await say(scene, "mtls check shop/api");
    assert.match(check.stdout, /^note: flip 1 under way: 1 of 2 workloads refuse plaintext$/m);
    assert.match(check.stdout, /^next: follow it: portcullis mtls flip .*shop\/api$/m);
    assert.doesNotMatch(check.stdout, /STRICT already|--to strict/);
    const [row] = await planFlips(scene.admin, {
      namespace: "shop",
      operator,
      lookBack: undefined,
    });
    assert.deepEqual(
      [row?.target, row?.mode, row?.order, row?.waitsFor, row?.next],
      [
        "shop/api",
        "mixed",
        0,
        ["flip 1 under way: 1 of 2 workloads refuse plaintext"],
        "portcullis mtls flip shop/api",
      ],
    );
    assert.equal((await say(scene, "mtls plan -n shop")).status, 3);
  });

  it("a workload of a namespace's flip is told of that, when it is followed and when it is taken back", async () => {
    await using scene = await openScene({ ...apiAndWeb, mode: "" });
    await begun(scene, { target: "shop", stages: "1,all" });
    const followed = await getFlips(scene.admin, "shop/api");
    assert.deepEqual(
      followed.map(({ target }) => target),
      ["shop"],
    );
    const { result } = await revert(scene);
    if (result.case !== "refused") assert.fail("it was taken back");
    assert.equal(result.value.code, "flip-unknown");
    assert.match(result.value.message, /, and it is part of flip 1 of shop$/);
    assert.match(result.value.hint, /portcullis mtls revert shop$/);
  });

  it("one that was taken back, and waits for its object, is no reason to call it STRICT", async () => {
    await using scene = await openScene({ names: ["api-0"] });
    await ordered(scene, { awaitsObject: true });
    await scene.apply(peerYaml("STRICT"));
    await settle(scene);
    await modesAre(scene, "strict");
    await revert(scene);
    await modesAre(scene, "permissive");
    const { strictAlready, flips, ports } = await verdictNow(scene);
    assert.deepEqual(
      [strictAlready, flips.map(({ detail }) => detail), new Set(ports.map(({ mode }) => mode))],
      [
        false,
        ["flip 1 taken back, which waits for PeerAuthentication shop/api to say PERMISSIVE itself"],
        new Set(["permissive"]),
      ],
    );
    const plan = await say(scene, "mtls plan -n shop");
    assert.match(plan.stdout, /^shop\/api waits for flip 1 taken back, which waits for /m);
  });

  it("one that is done and made a workload strict with others is named when that is taken back", async () => {
    await using scene = await openScene({ names: ["api-0"], mode: "" });
    await begun(scene, { stages: "all" });
    await modesAre(scene, "strict");
    await revert(scene);
    await reached(scene, "reverted");
    await begun(scene, { target: "shop", stages: "all", revertWindow: 1 });
    await eventually(async () => {
      await settle(scene);
      return (await getFlips(scene.admin, "shop")).at(-1)?.state === "done";
    });
    const { result } = await revert(scene);
    if (result.case !== "refused") assert.fail("it was taken back");
    assert.equal(result.value.code, "nothing-to-revert");
    assert.match(result.value.message, /, and it is part of flip 2 of shop$/);
    assert.match(
      result.value.hint,
      /portcullis mtls revert shop; or this alone: portcullis mtls permissive shop\/api /,
    );
    assert.equal((await getFlips(scene.admin, "shop/api")).at(-1)?.target, "shop");
  });
});

describe("a namespace that is to be permissive", () => {
  const permit = async ({ admin, clock }: FlipsScene) => {
    const untilMs = clock.nowMs() + 86_400_000;
    const asked = { target: "shop", untilMs, owner: "team-x", operator, dryRun: false };
    return await makePermissive(admin, asked);
  };

  it("is refused where objects of their own decide for all of it, with what to say in its place", async () => {
    await using scene = await openScene({ names: ["api-0"], mode: "STRICT" });
    const { result } = await permit(scene);
    if (result.case !== "refused") assert.fail("it was not refused");
    assert.equal(result.value.code, "target-decided-by-others");
    assert.match(result.value.hint, /^portcullis mtls permissive shop\/api --until 30d /);
  });

  it("says what stays strict, and whether it turns strict off", async () => {
    await using scene = await openScene({ ...apiAndWeb, mode: "STRICT" });
    const { result, decidedByOthers, endsStrict } = await permit(scene);
    assert.deepEqual([result.value, endsStrict], ["created", false]);
    assert.deepEqual(
      decidedByOthers.map(({ target, mode }) => `${target} ${mode}`),
      ["shop/api strict"],
    );
  });
});
