/** Whom a change would break, by the real judge of flips over a configuration and evidence that a test says. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  guardPort,
  peerObject,
  SaidConfiguration,
  SaidEvidence,
  workloadManifest,
  type PeerSpec,
} from "../../../../../test/support/guard-rig.ts";
import { RecentChanges } from "../../../../core/kube/guard/recent-changes.ts";
import type { PeerChange } from "../../../../core/kube/guard/stricter-ports.ts";
import type { PeerAuthentication } from "../../../../core/resources/peer-authentication.ts";
import { parseManifest } from "../../../../edge/resources/parse-manifests.ts";
import { notRecorded, type EvidenceQuestions } from "../../flips/evidence-questions.ts";
import { GuardJudge } from "./guard-judge.ts";

const nowMs = (): number => 1_800_000_000_000;
const root = "istio-system";

function peerOf(at: string, spec: PeerSpec): PeerAuthentication {
  const { objects } = parseManifest(JSON.stringify(peerObject(at, spec)), "");
  const object = objects[0]?.object;
  assert.ok(object?.kind === "PeerAuthentication");
  return object.object;
}

class Scene implements Disposable {
  readonly evidence = new SaidEvidence(nowMs);
  readonly known = new SaidConfiguration(
    workloadManifest("shop/api-0", "api", "10.0.0.1"),
    workloadManifest("shop/web-0", "web", "10.0.0.2"),
  );
  readonly waived = new Set<string>();
  questions: EvidenceQuestions = this.evidence.questions;

  constructor() {
    this.evidence.proxy("shop/api-0", { app: "api" });
    this.evidence.proxy("shop/web-0", { app: "web" });
  }

  async judge(at: string, before: PeerSpec | undefined, after: PeerSpec | undefined) {
    const [namespace = "", name = ""] = at.split("/");
    const change: PeerChange = {
      name: { namespace, name },
      before: before && peerOf(at, before),
      after: after && peerOf(at, after),
    };
    const judge = new GuardJudge({
      questions: this.questions,
      configuration: this.known.configuration,
      waivers: { of: () => [], namesOf: () => this.waived },
      absenceOf: () => undefined,
      hasListeners: () => true,
      holds: () => [],
      namespacesOfProxies: () => [],
      recent: new RecentChanges(),
      lookBackMs: () => 7 * 86_400_000,
      nowMs,
    });
    const { parts, cut } = await judge.judge(change, new AbortController().signal);
    const said = parts.map(({ text, isNew, kind, names }) => {
      return [text, kind, ...names, ...(isNew ? ["new"] : [])].join(" ");
    });
    return cut === "" ? said : [...said, cut];
  }

  [Symbol.dispose](): void {
    this.known[Symbol.dispose]();
  }
}

const strict = { mode: "STRICT", app: "api" };
const permissive = { mode: "PERMISSIVE", app: "api" };

describe("a change to STRICT", () => {
  it("is SAFE where all have told, and nobody calls without mTLS", async () => {
    using scene = new Scene();
    assert.deepEqual(await scene.judge("shop/api", undefined, strict), ["shop/api safe new"]);
  });

  it("is UNSAFE by the names of the callers, until they are waived", async () => {
    using scene = new Scene();
    scene.evidence.called("shop/api-0", "legacy/cron");
    assert.deepEqual(await scene.judge("shop/api", permissive, strict), [
      "shop/api unsafe legacy/cron new",
    ]);
    scene.waived.add("legacy/cron");
    assert.deepEqual(await scene.judge("shop/api", permissive, strict), ["shop/api safe new"]);
  });

  it("is UNKNOWN by the names of those who tell nothing, or where nothing is recorded", async () => {
    using scene = new Scene();
    scene.evidence.silent.add("shop/api-0");
    assert.deepEqual(await scene.judge("shop/api", undefined, strict), [
      "shop/api unknown proxy/shop/api-0 (never-reported) new",
    ]);
    scene.questions = notRecorded;
    const [said] = await scene.judge("shop/api", undefined, strict);
    assert.equal(said, "shop/api unknown new");
  });

  it("is not known to be harmless where it cannot be read who is there", async () => {
    using scene = new Scene();
    const why = "the evidence of who is there cannot be read: portcullis status";
    scene.questions = notRecorded;
    const stray = { mode: "STRICT", app: "stray" };
    assert.deepEqual(await scene.judge("shop/stray", undefined, stray), [why]);
    assert.deepEqual(await scene.judge("shop/api", permissive, undefined), []);
    scene.known.put(`${JSON.stringify(peerObject(`${root}/default`, { mode: "STRICT" }))}\n`);
    assert.deepEqual((await scene.judge("shop/stray", permissive, undefined)).at(-1), why);
  });

  it("is about those alone whose ports it changes", async () => {
    using scene = new Scene();
    scene.evidence.called("shop/api-0", "legacy/cron");
    scene.known.put(`${JSON.stringify(peerObject("shop/api", permissive))}\n`);
    const namespace = { mode: "STRICT" };
    assert.deepEqual(await scene.judge("shop/default", undefined, namespace), ["shop safe"]);
    scene.evidence.called("shop/web-0", "legacy/old", "10.9.0.2");
    assert.deepEqual(await scene.judge("shop/default", undefined, namespace), [
      "shop unsafe legacy/old",
    ]);
    const other = { ...permissive, ports: { [guardPort + 1]: "STRICT" } };
    const [said = ""] = await scene.judge("shop/api", permissive, other);
    assert.doesNotMatch(said, /cron/);
  });

  it("is asked for by the name of an object that selects the same", async () => {
    using scene = new Scene();
    scene.known.put(`${JSON.stringify(peerObject("shop/api", permissive))}\n`);
    assert.deepEqual(await scene.judge("shop/api", permissive, strict), ["shop/api safe"]);
  });

  it("of proxies that no object names is known by the evidence", async () => {
    using scene = new Scene();
    scene.evidence.proxy("shop/stray-0", { app: "stray" });
    scene.evidence.called("shop/stray-0", "legacy/cron");
    assert.deepEqual(await scene.judge("shop/stray", undefined, { mode: "STRICT", app: "stray" }), [
      "shop/stray unsafe legacy/cron new",
    ]);
  });

  it("is SAFE where all only call: STRICT would refuse nobody", async () => {
    using scene = new Scene();
    for (const each of ["cron/job-0", "idle/job-0"]) {
      scene.known.put(workloadManifest(each, "job", "10.2.0.1", {}));
      scene.evidence.proxy(each, { app: "job" }, []);
    }
    assert.deepEqual(await scene.judge("cron/default", undefined, { mode: "STRICT" }), [
      "cron safe",
    ]);
    const mesh = await scene.judge(`${root}/default`, undefined, { mode: "STRICT" });
    assert.deepEqual(mesh, ["cron safe", "idle safe", "shop safe"]);
    // Beside them one of which nothing is known, and one whose port an object names.
    scene.known.put(workloadManifest("cron/job-1", "job", "10.2.0.2", {}));
    scene.known.put(workloadManifest("idle/job-1", "job", "10.2.0.3"));
    assert.deepEqual(await scene.judge(`${root}/default`, undefined, { mode: "STRICT" }), [
      "cron unknown target/cron (nobody)",
      "idle unknown target/idle (nobody)",
      "shop safe",
    ]);
  });

  it("is nothing where nobody is there", async () => {
    using scene = new Scene();
    const nobody = { mode: "STRICT", app: "nobody" };
    assert.deepEqual(await scene.judge("shop/nobody", undefined, nobody), []);
  });
});

describe("the end of a PERMISSIVE", () => {
  it("is UNSAFE where an outer object says STRICT, and nothing where none does", async () => {
    using scene = new Scene();
    scene.evidence.called("shop/api-0", "legacy/cron");
    scene.known.put(`${JSON.stringify(peerObject("shop/api", permissive))}\n`);
    assert.deepEqual(await scene.judge("shop/api", permissive, undefined), []);
    scene.known.put(`${JSON.stringify(peerObject(`${root}/default`, { mode: "STRICT" }))}\n`);
    assert.deepEqual(await scene.judge("shop/api", permissive, undefined), [
      "shop/api unsafe legacy/cron",
    ]);
  });

  it("is UNSAFE, too, when its selector lets go of them", async () => {
    using scene = new Scene();
    scene.evidence.called("shop/api-0", "legacy/cron");
    scene.known.put(`${JSON.stringify(peerObject("shop/default", { mode: "STRICT" }))}\n`);
    scene.known.put(`${JSON.stringify(peerObject("shop/api", permissive))}\n`);
    const after = { mode: "PERMISSIVE", app: "web" };
    assert.deepEqual(await scene.judge("shop/api", permissive, after), [
      "shop/api unsafe legacy/cron",
    ]);
  });

  it("of one that selects others than now decides is not lost among those who have their own", async () => {
    using scene = new Scene();
    scene.evidence.called("shop/api-0", "legacy/cron");
    scene.known.put(`${JSON.stringify(peerObject("shop/api", permissive))}\n`);
    // The same object, from a workload's to the namespace's: all of it becomes strict.
    assert.deepEqual(await scene.judge("shop/api", permissive, { mode: "STRICT" }), [
      "shop unsafe legacy/cron",
    ]);
  });
});

describe("a client that a DestinationRule has send plaintext", () => {
  const service = {
    apiVersion: "networking.istio.io/v1",
    kind: "ServiceEntry",
    metadata: { namespace: "shop", name: "api" },
    spec: {
      hosts: ["api.shop.internal"],
      location: "MESH_INTERNAL",
      resolution: "STATIC",
      ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: guardPort }],
      workloadSelector: { labels: { app: "api" } },
    },
  };
  const rule = {
    apiVersion: "networking.istio.io/v1",
    kind: "DestinationRule",
    metadata: { namespace: "shop", name: "api" },
    spec: { host: "api.shop.internal", trafficPolicy: { tls: { mode: "DISABLE" } } },
  };

  it("is in the way before it has called, of a new STRICT and of the end of a PERMISSIVE", async () => {
    using scene = new Scene();
    for (const each of [service, rule]) scene.known.put(`${JSON.stringify(each)}\n`);
    const [said = ""] = await scene.judge("shop/api", permissive, strict);
    assert.match(said, /^shop\/api unsafe .*shop\/web-0/);
    scene.known.put(`${JSON.stringify(peerObject("shop/default", { mode: "STRICT" }))}\n`);
    scene.known.put(`${JSON.stringify(peerObject("shop/api", permissive))}\n`);
    const [deleted = ""] = await scene.judge("shop/api", permissive, undefined);
    assert.match(deleted, /^shop\/api unsafe .*shop\/web-0/);
  });
});

describe("a change of the mesh's own object", () => {
  it("is judged namespace by namespace, and no further than it must be", async () => {
    using scene = new Scene();
    for (let at = 0; at < 9; at++) {
      const name = `n${at}/api-0`;
      scene.known.put(workloadManifest(name, "api", `10.1.0.${at}`));
      scene.evidence.proxy(name, { app: "api" });
      if (at > 2) scene.evidence.called(name, `legacy/cron-${at}`, `10.8.0.${at}`);
    }
    assert.deepEqual(await scene.judge(`${root}/default`, undefined, { mode: "STRICT" }), [
      "n0 safe",
      "n1 safe",
      "n2 safe",
      "n3 unsafe legacy/cron-3",
      "n4 unsafe legacy/cron-4",
      "n5 unsafe legacy/cron-5",
      "n6 unsafe legacy/cron-6",
      "so many are in the way already",
    ]);
  });
});
