/** What operators are shown of flips: verdicts, ports, dates that alarm, plans, and why a port takes what it takes. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  addCallerWaivers,
  checkMtls,
  getFlips,
  makePermissive,
  planFlips,
} from "../../src/edge/rpc/flip-client.ts";
import { fetchPolicyStatus } from "../../src/edge/rpc/policy-status-client.ts";
import { listResources } from "../../src/edge/rpc/resource-client.ts";
import type { PortStatus } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { runWith } from "../server/root-rig.ts";
import { eventsOf } from "../server/rotation-rig.ts";
import { eventually, scrape } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  begun,
  flipNow,
  flipPort,
  inForce,
  modesAre,
  objectMode,
  openScene,
  operator,
  peerYaml,
  reached,
  refusedStart,
  revert,
  serveScene,
  settle,
  TestClock,
  verdictNow,
  workloadYaml,
  type FlipsScene,
} from "./flips-rig.ts";
import type { RawAgent } from "./raw-agent.ts";

async function portsOf({ admin }: FlipsScene): Promise<Readonly<Record<string, PortStatus>>> {
  const { proxies } = await fetchPolicyStatus(admin);
  return Object.fromEntries(
    proxies.flatMap(({ workload, ports: [port] }) => (port ? [[workload, port]] : [])),
  );
}

const plain = (address: string) => ({ source: { kind: "address", address } as const });

describe("a verdict", () => {
  it("names who calls without mTLS, what it says of itself, and who told nothing", async () => {
    await using scene = await openScene({ names: ["api-0", "api-1", "api-2"] });
    await scene.apply(workloadYaml("cron-0", "10.0.1.1"));
    const [first = assert.fail(), second = assert.fail()] = scene.agents;
    scene.clock.advance(15_000);
    await scene.saw(
      first,
      { ...plain("10.0.1.1"), claim: "curl/8.5.0" },
      plain("203.0.113.9"),
      plain("10.0.0.10"),
    );
    await scene.covered(second);
    const verdict = await verdictNow(scene);
    assert.deepEqual(
      verdict.callers
        .map(({ name, holder, claim }) => [name, holder, claim])
        .toSorted((a, b) => String(a).localeCompare(String(b))),
      [
        ["203.0.113.9", "unknown", ""],
        ["shop/api-0", "own-host", ""],
        ["shop/cron-0", "unmeshed-workload", "curl/8.5.0"],
      ],
    );
    assert.deepEqual(
      verdict.silent.map(({ name, reason }) => [name, reason]),
      [["proxy/shop/api-2", "late"]],
    );
    assert.deepEqual(
      [verdict.verdict, verdict.proxies, verdict.otherConnections],
      ["unsafe", 3, 3n],
    );
    const port = verdict.ports.find((each) => each.port === flipPort);
    assert.deepEqual(
      [port?.mode, port?.rule, port?.because?.name],
      ["permissive", "workload", "api"],
    );
    const untilMs = scene.clock.nowMs() + 60_000;
    const names = [...verdict.callers, ...verdict.silent].map(({ name }) => name);
    const waiver = { target: "shop/api", names, reason: "they end", operator };
    await addCallerWaivers(scene.admin, { ...waiver, untilMs });
    const waived = await verdictNow(scene);
    assert.deepEqual([waived.verdict, waived.waivers.length], ["safe", 4]);
    assert.equal((await verdictNow(scene, "shop/api:8080")).verdict, "safe");
    scene.clock.advance(61_000);
    assert.equal((await verdictNow(scene)).waivers.length, 0);
  });

  it("is UNKNOWN at once when an agent is away, also after a server's start, and SAFE when all are back", async () => {
    using directory = temporaryDirectory();
    const dataDir = join(directory.path, "data");
    const silentNow = async (scene: FlipsScene) => {
      const { verdict, silent } = await verdictNow(scene);
      return [verdict, ...silent.map(({ name, reason }) => `${name} ${reason}`)];
    };
    const clock = new TestClock();
    const epochMs = clock.nowMs();
    let agents: readonly RawAgent[];
    {
      await using scene = await openScene({ names: ["api-0", "api-1"], dataDir, clock });
      ({ agents } = scene);
      assert.deepEqual(await silentNow(scene), ["safe"]);
      agents[1]?.close();
      await eventually(async () => (await silentNow(scene)).length > 1);
      assert.deepEqual(await silentNow(scene), ["unknown", "proxy/shop/api-1 away"]);
      const { verdict, code } = await refusedStart(scene);
      assert.deepEqual([verdict?.silent[0]?.reason, code], ["away", "not-safe"]);
      await agents[1]?.open(scene.plane);
      await eventually(async () => (await silentNow(scene)).length === 1);
    }
    await using scene = await serveScene({ dataDir, clock, agents, epochMs });
    const unheard = ["proxy/shop/api-0 unheard", "proxy/shop/api-1 unheard"];
    assert.deepEqual(await silentNow(scene), ["unknown", ...unheard]);
    for (const agent of agents) await agent.open(scene.plane);
    await eventually(async () => (await silentNow(scene)).length === 1);
    assert.deepEqual(await silentNow(scene), ["safe"]);
  });

  it("of a target that is strict says so", async () => {
    await using scene = await openScene({ names: ["api-0"] });
    assert.equal((await verdictNow(scene)).strictAlready, false);
    await scene.apply(peerYaml("STRICT"));
    assert.equal((await verdictNow(scene)).strictAlready, true);
  });

  it("with another look-back than the setting stands in the log, once an hour", async () => {
    await using scene = await openScene({ names: ["api-0"] });
    const check = async (lookBack: number | undefined) =>
      await checkMtls(scene.admin, { target: "shop/api", operator, lookBack });
    for (const lookBack of [undefined, 30, 30, 40]) {
      assert.equal((await check(lookBack)).result.case, "verdict");
    }
    const said = eventsOf(scene.plane.config.dataDir, "command").filter(({ subject }) =>
      subject.startsWith("mtls check"),
    );
    assert.deepEqual(
      said.map(({ operator: who, subject, detail }) => [who, subject, detail]),
      [30, 40].map((seconds) => [
        operator,
        "mtls check shop/api",
        `look-back of ${seconds} s, setting 20 s`,
      ]),
    );
  });
});

describe("of ports is shown", () => {
  it("how they are called, which flip has them, and until when they are permissive", async () => {
    await using scene = await openScene({ names: ["api-0", "api-1", "web-0"] });
    await scene.apply(peerYaml("PERMISSIVE", '{ portcullis.io/permissive-until: "2020-01-01" }'));
    await scene.saw(scene.agents[2] ?? assert.fail(), plain("10.0.1.1"), plain("10.0.1.2"));
    const { permissiveUntil } = (await portsOf(scene))["shop/api-1"] ?? assert.fail();
    assert.equal(Number(permissiveUntil?.seconds) * 1_000, Date.UTC(2020, 0, 1));
    await begun(scene);
    await inForce(scene, 0);
    const ports = await portsOf(scene);
    const shown = Object.entries(ports).map(([name, port]) => {
      const { flip, rule, mtlsConnections, otherConnections, otherCallers } = port;
      return [name, flip, rule, mtlsConnections, otherConnections, otherCallers].join(" ");
    });
    assert.deepEqual(shown.toSorted(), [
      "shop/api-0 1 workload 2 0 0",
      "shop/api-1 1 flip 2 0 0",
      "shop/web-0 0 default 3 2 2",
    ]);
    // What is strict owes nothing.
    assert.equal(ports["shop/api-1"]?.permissiveUntil, undefined);
  });

  it("why: a flip holds it back, where the server is asked, and not by what the objects say", async () => {
    await using scene = await openScene({ names: ["api-0", "api-1"] });
    await begun(scene);
    await inForce(scene, 0);
    const { holds } = await listResources(scene.admin);
    assert.deepEqual(
      holds.map(({ flip, namespace, selector, strict }) => [
        flip,
        namespace,
        ...selector,
        ...strict,
      ]),
      [[1, "shop", ["app", "api"], "shop/api-0"]],
    );
    const explain = async (name: string): Promise<string> =>
      (await runWith(["mtls", "explain", `shop/${name}:8080`, "--admin", scene.admin])).stdout;
    assert.match(
      await explain("api-1"),
      /takes mTLS and plaintext\n +because PeerAuthentication shop\/api says STRICT, and a flip holds this workload back\n/,
    );
    assert.match(await explain("api-0"), /takes mTLS only/);
  });

  it("of all flips the last one of each target", async () => {
    await using scene = await openScene({ names: ["api-0", "web-0"] });
    await begun(scene, { stages: "all" });
    await begun(scene, { target: "shop/web-0", stages: "all" });
    const all = await getFlips(scene.admin, "");
    assert.deepEqual(
      all.map(({ id, target, workloads }) => [Number(id), target, workloads.length]),
      [
        [1, "shop/api", 1],
        [2, "shop/web-0", 1],
      ],
    );
    assert.equal((await getFlips(scene.admin, "shop/serviceentry/api")).length, 1);
    assert.deepEqual(await getFlips(scene.admin, "shop/nobody"), []);
  });
});

describe("a target that is to be permissive until a date", () => {
  it("says so in its object, and alarms once a day when the date has come, and changes nothing", async () => {
    await using scene = await openScene({ names: ["api-0"], mode: "STRICT", isSafe: false });
    const { admin, clock, plane } = scene;
    const untilMs = clock.nowMs() + 30_000;
    const asked = { target: "shop/api", untilMs, owner: "team-x", operator };
    const dry = await makePermissive(admin, { ...asked, dryRun: true });
    assert.deepEqual([dry.result.value, await objectMode(scene)], ["configured", "STRICT"]);
    const { result, beforeJson, afterJson } = await makePermissive(admin, {
      ...asked,
      dryRun: false,
    });
    assert.equal(result.value, "configured");
    assert.match(beforeJson, /STRICT/);
    assert.equal(JSON.parse(afterJson).metadata.annotations["portcullis.io/owner"], "team-x");
    await modesAre(scene, "permissive");
    const again = await makePermissive(admin, { ...asked, dryRun: false });
    assert.equal(again.result.value, "unchanged");
    const overdue = async () => (await scrape(plane)).get("portcullis_permissive_overdue");
    assert.equal(await overdue(), 0);
    clock.advance(31_000);
    assert.equal(await overdue(), 1);
    await scene.apply(peerYaml("STRICT", '{ portcullis.io/permissive-until: "2020-01-01" }'));
    assert.equal(await overdue(), 0);
  });
});

describe("a client that is told to send plaintext", () => {
  const told = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: plain, namespace: shop }
spec:
  workloadSelector: { matchLabels: { app: web } }
  host: api.shop.internal
  trafficPolicy: { tls: { mode: DISABLE } }
`;
  const egress = `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: web, namespace: shop }
spec:
  workloadSelector: { labels: { app: web } }
  egress: [{ hosts: ["./*"] }]
`;

  it("is in the way of check, plan and flip alike, also where the object says STRICT already", async () => {
    await using scene = await openScene({ names: ["api-0", "api-1", "web-0"] });
    await scene.apply(egress);
    await begun(scene, { stages: "1,all" });
    await inForce(scene, 0);
    await scene.apply(told);
    const all = async (): Promise<void> => {
      const { verdict, callers } = await verdictNow(scene);
      assert.equal(verdict, "unsafe");
      assert.deepEqual(
        callers.map(({ name, holder }) => [name, holder]),
        [["shop/web-0", "configuration"]],
      );
      const asked = { namespace: "shop", operator, lookBack: undefined };
      const api = (await planFlips(scene.admin, asked)).find(({ target }) => target === "shop/api");
      assert.equal(api?.verdict?.verdict, "unsafe");
    };
    await all();
    await settle(scene);
    const { waits } = await eventually(async () => {
      const flip = await flipNow(scene);
      return flip.waits.some(({ kind }) => kind === "verdict") && flip;
    });
    assert.deepEqual(
      waits.map(({ name, detail }) => `${name} ${detail}`),
      ["shop/web-0 is told to call without mTLS"],
    );
    await all();
    await revert(scene);
    await reached(scene, "reverted");
    await scene.apply(peerYaml("STRICT"));
    await all();
  });
});

describe("a plan of a namespace", () => {
  it("has who can go now first, then who waits for them, and says what each waits for", async () => {
    await using scene = await openScene({ names: ["api-0", "web-0", "db-0"] });
    const [api = assert.fail(), , db = assert.fail()] = scene.agents;
    await scene.saw(api, plain("10.0.0.11"));
    await scene.saw(db, plain("203.0.113.9"));
    const plan = await planFlips(scene.admin, { namespace: "shop", operator, lookBack: undefined });
    assert.deepEqual(
      plan.map(({ target, mode, verdict, order, waitsFor }) =>
        [order, target, mode, verdict?.verdict, ...waitsFor].join(" "),
      ),
      [
        "1 shop/web-0 permissive safe",
        "2 shop/api permissive unsafe shop/web-0 of shop/web-0 sends no mTLS",
        "0 shop/db-0 permissive unsafe 203.0.113.9 calls it without mTLS",
      ],
    );
    assert.equal(plan[0]?.next, "portcullis mtls flip shop/web-0 --to strict");
  });
});
