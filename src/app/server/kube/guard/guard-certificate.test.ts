/** In which order the API server is told roots and shown certificates. */

import assert from "node:assert/strict";
import { before, it } from "node:test";
import { pino } from "pino";
import { Registry } from "prom-client";
import { makeAuthority, type TestAuthority } from "../../../../../test/support/authority.ts";
import { issueServingCertificate } from "../../../../../test/support/serving.ts";
import { TurningTrust } from "../../../../../test/support/turning-trust.ts";
import { KubeError } from "../../../../edge/kube/kube-error.ts";
import type { CaBundleState } from "../../../../edge/kube/webhook-configuration.ts";
import { GuardEvents } from "../../../../edge/telemetry/guard-events.ts";
import { GuardCertificate } from "./guard-certificate.ts";

const hourMs = 3_600_000;
let first: TestAuthority;
let second: TestAuthority;

before(async () => {
  [first, second] = await Promise.all([makeAuthority("p256", 0), makeAuthority("p256", 0)]);
});

/** `settleMs` 0: an API server believes what it has stored at once; Infinity: never. */
class Scene {
  readonly trust = new TurningTrust(first);
  readonly log: string[] = [];
  readonly registry = new Registry();
  /** What the API server has; undefined: no configuration. */
  stored: string | undefined = "";
  failure: KubeError | undefined;
  conflicts = 0;
  writes = 0;
  nowMs = hourMs;
  certificate!: GuardCertificate;

  static async open(settleMs = 0): Promise<Scene> {
    const scene = new Scene();
    const { trust } = scene;
    const nowMs = (): number => scene.nowMs;
    const gauges = {
      certificateNotAfterMs: () => undefined,
      isCaCurrent: () => scene.certificate.isCaCurrent,
      nowMs,
    };
    const events = new GuardEvents(
      pino({ level: "info" }, { write: (line) => void scene.log.push(line) }),
      scene.registry,
      gauges,
    );
    scene.certificate = await GuardCertificate.open({
      webhook: "portcullis-guard",
      keepRoots: (pem) => scene.keep(pem),
      names: () => ["portcullis.portcullis-system.svc"],
      trust,
      issue: (names) => Promise.resolve(issueServingCertificate(trust.current, names, nowMs())),
      events: () => events,
      nowMs,
      timings: { settleMs, lookMs: 1_000_000 },
    });
    return scene;
  }

  async keep(pem: string): Promise<CaBundleState> {
    if (this.failure !== undefined) throw this.failure;
    if (this.stored === undefined) return "missing";
    if (this.stored === pem) return "current";
    if (this.conflicts-- > 0) throw new KubeError("kube-conflict", "409");
    this.stored = pem;
    this.writes++;
    return "written";
  }

  get roots(): number {
    return (this.stored ?? "").split("BEGIN").length - 1;
  }

  /** By whom the certificate is believed that is served. */
  get servedBy(): string {
    return this.certificate.current.root === first.authority.rootSha256 ? "first" : "second";
  }
}

const away = new KubeError("kube-unreachable", "nobody is there");

it("tells the bundle's roots, once, and again when somebody has changed them", async () => {
  const scene = await Scene.open();
  await scene.certificate.look();
  await scene.certificate.look();
  assert.deepEqual([scene.roots, scene.writes, scene.certificate.isCaCurrent], [1, 1, true]);
  scene.stored = "mine";
  await scene.certificate.look();
  assert.deepEqual([scene.roots, scene.writes], [1, 2]);
});

it("writes over another's write only after it has looked again", async () => {
  const scene = await Scene.open();
  scene.conflicts = 1;
  await scene.certificate.look();
  assert.deepEqual([scene.roots, scene.log.filter((line) => /not-fresh/.test(line))], [1, []]);
});

it("shows a certificate of another root only when that root has been told for a while", async () => {
  const never = await Scene.open(Infinity);
  never.trust.turn(second, [first, second]);
  await never.certificate.look();
  await never.certificate.look();
  assert.deepEqual([never.roots, never.servedBy], [2, "first"]);
  const scene = await Scene.open();
  scene.failure = away;
  scene.trust.turn(second, [first, second]);
  await scene.certificate.look();
  assert.deepEqual(
    [scene.roots, scene.servedBy, scene.certificate.isCaCurrent],
    [0, "first", false],
  );
  scene.failure = undefined;
  await scene.certificate.look();
  assert.deepEqual([scene.roots, scene.servedBy], [2, "second"]);
  scene.trust.turn(second, [second]);
  await scene.certificate.look();
  assert.deepEqual([scene.roots, scene.servedBy], [1, "second"]);
});

it("leaves a root that is trusted no more at once, and never tells it again", async () => {
  const scene = await Scene.open(Infinity);
  await scene.certificate.look();
  scene.trust.turn(second, [second]);
  await scene.certificate.look();
  assert.deepEqual([scene.roots, scene.servedBy], [1, "second"]);
});

it("is renewed at half of its life, also while the API server is away, which is said once", async () => {
  const scene = await Scene.open();
  await scene.certificate.look();
  const { notAfterMs } = scene.certificate.current;
  scene.failure = away;
  scene.nowMs = notAfterMs - hourMs;
  await scene.certificate.look();
  await scene.certificate.look();
  assert.ok(scene.certificate.current.notAfterMs > notAfterMs);
  assert.equal(scene.log.filter((line) => line.includes("guard-not-fresh")).length, 1);
});

it("follows the authority at once where there is no configuration: nobody asks", async () => {
  const scene = await Scene.open(Infinity);
  scene.stored = undefined;
  scene.trust.turn(second, [first, second]);
  await scene.certificate.look();
  assert.deepEqual([scene.servedBy, scene.certificate.isCaCurrent], ["second", undefined]);
});

it("alarms, and says once, that its registration is gone", async () => {
  const scene = await Scene.open();
  const value = async (): Promise<string | undefined> =>
    /^portcullis_guard_ca_bundle_current (\d)$/m.exec(
      await scene.registry.getSingleMetricAsString("portcullis_guard_ca_bundle_current"),
    )?.[1];
  const said = (): number =>
    scene.log.filter((line) => line.includes("guard-not-registered")).length;
  await scene.certificate.look();
  assert.deepEqual([await value(), said()], ["1", 0]);
  scene.stored = undefined;
  await scene.certificate.look();
  await scene.certificate.look();
  assert.deepEqual([await value(), said()], ["0", 1]);
  scene.stored = "";
  await scene.certificate.look();
  assert.deepEqual([await value(), said()], ["1", 1]);
});
