/** What a server does not judge, flip or take back: each code can be had, says what is there, and ends with what to do next. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  addCallerWaivers,
  checkMtls,
  makePermissive,
  planFlips,
} from "../../src/edge/rpc/flip-client.ts";
import type { FlipRefusal } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { eventually } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  begin,
  begun,
  flipNow,
  inForce,
  modesAre,
  objectMode,
  openScene,
  operator,
  peerYaml,
  reached,
  refusedStart,
  revert,
  settle,
  workloadYaml,
  type FlipsScene,
} from "./flips-rig.ts";
import { RawAgent } from "./raw-agent.ts";

type Result =
  | { readonly case: "refused"; readonly value: FlipRefusal }
  | { readonly case: "verdict" | "flip" | "action" | "waivers"; readonly value: unknown }
  | { readonly case: undefined };

function refusalIn(result: Result): FlipRefusal {
  if (result.case !== "refused") assert.fail(`it was not refused: ${result.case}`);
  return result.value;
}

const check = async ({ admin }: FlipsScene, target: string, lookBack?: number) =>
  refusalIn((await checkMtls(admin, { target, operator, lookBack })).result);

const permissive = async (
  { admin, clock }: FlipsScene,
  more: Partial<Parameters<typeof makePermissive>[1]> = {},
) => {
  const untilMs = clock.nowMs() + 86_400_000;
  const asked = { target: "shop/api", untilMs, owner: "team-x", operator, dryRun: false };
  return await makePermissive(admin, { ...asked, ...more });
};

const strange = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: wide, namespace: shop }
spec: { selector: { matchLabels: { tier: back } }, mtls: { mode: STRICT } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: bare-0, namespace: shop }
spec: { address: 10.0.2.1, serviceAccount: bare }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: api-x, namespace: shop, labels: { app: api } }
spec: { address: 10.0.2.2, serviceAccount: api }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: api, namespace: shop, labels: { app: api, version: "1" } }
spec: { address: 10.0.2.3, serviceAccount: api }
`;

/** It only calls. */
const callerYaml = `
${workloadYaml("cron-0", "10.0.2.7")}---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: cron, namespace: shop }
spec:
  workloadSelector: { labels: { app: cron } }
  egress: [{ hosts: ["./*"] }]
`;

type Case = (scene: FlipsScene) => Promise<FlipRefusal>;

const cases: Readonly<Record<string, Case>> = {
  "target-unknown": (scene) => check(scene, "shop/apu"),
  "target-ambiguous": async (scene) => {
    await scene.apply(strange);
    return await check(scene, "shop/api");
  },
  "target-selects-others": async (scene) => await check(scene, "shop/workloadentry/api-0"),
  "target-without-selector": async (scene) => {
    await scene.apply(strange);
    return await check(scene, "shop/bare-0");
  },
  "target-is-mesh": (scene) => check(scene, "istio-system"),
  "target-port-unknown": (scene) => check(scene, "shop/api:9"),
  "look-back-too-long": (scene) => check(scene, "shop/api", 86_400),
  "look-back-too-short": (scene) => check(scene, "shop/api", 29),
  "already-strict": async (scene) => {
    await scene.apply(peerYaml("STRICT"));
    return await refusedStart(scene);
  },
  disabled: async (scene) => {
    await scene.apply(peerYaml("DISABLE"));
    return await refusedStart(scene);
  },
  "port-disabled": async (scene) => {
    await scene.apply(`${peerYaml("PERMISSIVE")}  portLevelMtls: { "8080": { mode: DISABLE } }\n`);
    return await refusedStart(scene);
  },
  "other-object": async (scene) => {
    await scene.apply(strange);
    return await refusedStart(scene, { target: "shop/workloadentry/api" });
  },
  "name-taken": async (scene) => {
    await scene.apply(peerYaml("PERMISSIVE").replace("{ app: api }", "{ app: none }"));
    return await refusedStart(scene, { target: "shop/serviceentry/api" });
  },
  "not-safe": (scene) => refusedStart(scene, { lookBack: 1_000 }),
  "flip-running": async (scene) => {
    await begun(scene);
    return await refusedStart(scene);
  },
  "flip-overlaps": async (scene) => {
    await begun(scene);
    return await refusedStart(scene, { target: "shop" });
  },
  "target-without-proxy": async (scene) => {
    await scene.apply(workloadYaml("db-0", "10.0.2.9"));
    const target = "shop/db-0";
    const untilMs = scene.clock.nowMs() + 600_000;
    const waiver = { target, names: [`target/${target}`], reason: "nobody", operator, untilMs };
    await addCallerWaivers(scene.admin, waiver);
    return await refusedStart(scene, { target });
  },
  "target-takes-no-calls": async (scene) => {
    await scene.apply(callerYaml);
    const agent = new RawAgent("cron-0");
    await agent.open(scene.plane);
    try {
      // From then on the server has it from the Envoy itself that it listens nowhere.
      await eventually(async () => {
        const { result } = await checkMtls(scene.admin, {
          target: "shop/cron-0",
          operator,
          lookBack: undefined,
        });
        return result.case === "verdict" && result.value.verdict === "safe";
      });
      return await refusedStart(scene, { target: "shop/cron-0" });
    } finally {
      agent.close();
    }
  },
  "flip-unknown": async (scene) => refusalIn((await revert(scene)).result),
  "nothing-to-revert": async (scene) => {
    await begun(scene);
    await revert(scene);
    await reached(scene, "reverted");
    return refusalIn((await revert(scene)).result);
  },
  "until-past": async (scene) => refusalIn((await permissive(scene, { untilMs: 1 })).result),
};

describe("a server refuses", () => {
  for (const [code, work] of Object.entries(cases)) {
    it(`with ${code}, and says what is there and what to do`, async () => {
      await using scene = await openScene({ names: ["api-0", "api-1"] });
      const refusal = await work(scene);
      assert.equal(refusal.code, code, refusal.message);
      assert.match(refusal.message, /^(expected .*, got |there is )/);
      assert.notEqual(refusal.hint, "");
    });
  }

  it("names the nearest of what it knows", async () => {
    await using scene = await openScene({ names: ["api-0"], isSafe: false });
    assert.match((await check(scene, "shop/apu")).message, /, did you mean shop\/api$/);
    const plan = { namespace: "shup", operator, lookBack: undefined };
    await assert.rejects(planFlips(scene.admin, plan), /there is nothing in namespace shup/);
  });

  it("what is not SAFE with the verdict and the change that it would be, and changes nothing", async () => {
    await using scene = await openScene({ names: ["api-0"], isSafe: false });
    const { result, afterJson } = await begin(scene);
    const { verdict } = refusalIn(result);
    assert.deepEqual([verdict?.verdict, verdict?.target], ["unknown", "shop/api"]);
    assert.match(afterJson, /STRICT/);
    assert.equal(await objectMode(scene), "PERMISSIVE");
  });

  it("words that nobody can read as a wrong request", async () => {
    await using scene = await openScene({ names: ["api-0"] });
    const wrong = { code: "command-invalid" };
    await assert.rejects(check(scene, "shop//api"), wrong);
    await assert.rejects(begin(scene, { stages: "1,2" }), wrong);
    await assert.rejects(begin(scene, { operator: "" }), wrong);
    await assert.rejects(begin(scene, { revertWindow: 90 * 86_400 }), wrong);
    await assert.rejects(permissive(scene, { owner: "a\nb" }), wrong);
    const waiver = { target: "shop/api", names: ["a b"], reason: "none", operator };
    const untilMs = scene.clock.nowMs() + 60_000;
    await assert.rejects(addCallerWaivers(scene.admin, { ...waiver, untilMs }), wrong);
    const good = { ...waiver, names: ["shop/cron"] };
    await assert.rejects(addCallerWaivers(scene.admin, { ...good, untilMs: 1 }), wrong);
  });
});

describe("a policy in the server's directory", () => {
  it("is not written: the flip waits for it to arrive, and holds back until then", async () => {
    using files = temporaryDirectory();
    const path = join(files.path, "api.yaml");
    writeFileSync(path, peerYaml("PERMISSIVE"));
    const names = ["api-0", "api-1"];
    await using scene = await openScene({ resourcesDir: files.path, names, mode: "" });
    const refusal = await refusedStart(scene);
    assert.equal(refusal.code, "flip-object-in-directory");
    assert.match(refusal.message, /stands in .*api\.yaml:\d+ of the server's directory/);
    assert.match(refusal.hint, /portcullis mtls flip shop\/api --to strict -o yaml$/);
    const date = refusalIn((await permissive(scene)).result);
    assert.equal(date.code, "flip-object-in-directory");
    const { result, afterJson } = await begin(scene, { awaitsObject: true });
    assert.equal(result.case, "flip");
    assert.equal(JSON.parse(afterJson).spec.mtls.mode, "STRICT");
    const { waits, awaitsObject } = await flipNow(scene);
    assert.deepEqual([waits[0]?.kind, awaitsObject], ["object", true]);
    writeFileSync(path, peerYaml("STRICT"));
    await settle(scene);
    await modesAre(scene, "strict", "permissive");
    await inForce(scene, 0);
    await settle(scene);
    await modesAre(scene, "strict", "strict");
    await revert(scene);
    await modesAre(scene, "permissive", "permissive");
    const { state, waits: back } = await flipNow(scene);
    assert.deepEqual([state, back[0]?.kind], ["reverting", "object"]);
    assert.match(back[0]?.detail ?? "", /it is yours to change$/);
    writeFileSync(path, peerYaml("PERMISSIVE"));
    await reached(scene, "reverted");
  });
});
