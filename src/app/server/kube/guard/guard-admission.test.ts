/** From a question to its answer: what is let in without a look, what is not known, and whom nobody stops. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { pino } from "pino";
import { Registry } from "prom-client";
import {
  peerObject,
  SaidConfiguration,
  workloadManifest,
  type PeerObject,
  type PeerSpec,
} from "../../../../../test/support/guard-rig.ts";
import { decidePort, Holds } from "../../../../core/policy/holds.ts";
import { isSameManifest } from "../../../../edge/kube/write/policy-object.ts";
import { nameKey } from "../../../../core/resources/resource.ts";
import { RecentChanges } from "../../../../core/kube/guard/recent-changes.ts";
import type { ServerMode } from "../../../../core/policy/server-mode.ts";
import { GuardEvents } from "../../../../edge/telemetry/guard-events.ts";
import { notRecorded } from "../../flips/evidence-questions.ts";
import { GuardAdmission, type GuardAdmissionOptions } from "./guard-admission.ts";
import { GuardJudge } from "./guard-judge.ts";
import { followTold } from "./told-changes.ts";

const root = "istio-system";
const strict: PeerSpec = { mode: "STRICT", app: "api" };
const permissive: PeerSpec = { mode: "PERMISSIVE", app: "api" };

interface Asked {
  readonly before?: object;
  readonly after?: object;
  readonly at?: string;
  readonly username?: string;
  readonly isDryRun?: boolean;
}

interface OurEdit {
  readonly at: string;
  readonly is?: PeerObject;
}

class Scene implements Disposable {
  readonly known = new SaidConfiguration(
    workloadManifest("shop/api-0", "api", "10.0.0.1"),
    workloadManifest("pay/api-0", "api", "10.0.0.2"),
  );
  readonly log: string[] = [];
  readonly registry = new Registry();
  readonly #admission: GuardAdmission;

  /** What flips are writing. */
  readonly ours: OurEdit[] = [];

  /** Of nobody anything is recorded: whatever becomes strict is UNKNOWN. */
  constructor(more: Partial<GuardAdmissionOptions> = {}) {
    const log = pino({ level: "info" }, { write: (line) => void this.log.push(line) });
    const nowMs = (): number => 1;
    const { configuration } = this.known;
    const recent = new RecentChanges();
    followTold(this.known.set, recent);
    const judge = new GuardJudge({
      questions: { ...notRecorded, membersOf: () => Promise.resolve([]) },
      configuration,
      recent,
      waivers: { of: () => [], namesOf: () => new Set() },
      absenceOf: () => undefined,
      hasListeners: () => true,
      holds: () => [],
      namespacesOfProxies: () => [],
      lookBackMs: () => 1,
      nowMs,
    });
    this.#admission = new GuardAdmission({
      mode: "enforce",
      ownUser: "system:serviceaccount:portcullis-system:portcullis",
      isWriting: (ref, after) => {
        const isIt = ({ at, is }: OurEdit): boolean =>
          nameKey(ref) === at &&
          (after === undefined || is === undefined
            ? after === is
            : isSameManifest(after, { ...is }));
        return this.ours.some(isIt);
      },
      judge,
      configuration,
      notReady: () => undefined,
      recent,
      events: new GuardEvents(log, this.registry, {
        certificateNotAfterMs: () => undefined,
        isCaCurrent: () => undefined,
        nowMs,
      }),
      ...more,
    });
  }

  /** @returns the message of a refusal, else all warnings */
  async ask({
    before,
    after,
    at = "shop/api",
    username = "ada",
    isDryRun,
  }: Asked): Promise<string> {
    const [namespace, name] = at.split("/");
    const operation = before === undefined ? "CREATE" : after === undefined ? "DELETE" : "UPDATE";
    const resource = { group: "security.istio.io", version: "v1", resource: "peerauthentications" };
    const objects = { oldObject: before ?? null, object: after ?? null };
    const who = { userInfo: { username }, dryRun: isDryRun === true };
    const rest = { operation, resource, namespace, name, ...who, ...objects };
    const review = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" };
    const body = JSON.stringify({ ...review, request: { uid: "7", ...rest } });
    const { response } = JSON.parse(
      await this.#admission.answer(body, { deadlineMs: 1_000, address: "10.0.0.9" }),
    );
    assert.equal(response.uid, "7");
    return response.allowed
      ? (response.warnings ?? []).join("; ")
      : `no: ${response.status.message}`;
  }

  put(...objects: readonly PeerObject[]): void {
    this.known.put(...objects.map((each) => `${JSON.stringify(each)}\n`));
  }

  [Symbol.dispose](): void {
    this.known[Symbol.dispose]();
  }
}

const api = (spec: PeerSpec): PeerObject => peerObject("shop/api", spec);
const unreadable = { ...api({}), spec: { mtls: { mode: "STRICTEST" } } };

describe("a change of a PeerAuthentication", () => {
  it("that makes something STRICT of which nothing is known is refused", async () => {
    using scene = new Scene();
    assert.match(await scene.ask({ after: api(strict) }), /^no: .*shop\/api is UNKNOWN/);
    assert.match(await scene.registry.metrics(), /result="denied"\} 1/);
    assert.match(scene.log.join(""), /"guard-denied","claimed":"ada","isDryRun":false/);
  });

  it("that says what was said is let in, whatever else is in it", async () => {
    using scene = new Scene();
    assert.equal(await scene.ask({ before: unreadable, after: { ...unreadable, more: 1 } }), "");
  });

  it("that nobody here can read is refused where that is enforced, with what is wrong", async () => {
    using scene = new Scene();
    const said = await scene.ask({ before: api(strict), after: unreadable });
    assert.match(said, /^no: .*spec\.mtls\.mode: expected .*STRICTEST/);
    using warning = new Scene({ mode: "warn" });
    assert.match(await warning.ask({ after: unreadable }), /^Portcullis: .*cannot be read/);
  });

  it("from what nobody can read is one from what is in force", async () => {
    using scene = new Scene();
    scene.put(api(permissive));
    assert.match(await scene.ask({ before: unreadable, after: api(strict) }), /^no: /);
    scene.put(api(strict));
    assert.equal(await scene.ask({ before: unreadable, after: api(strict) }), "");
  });

  it("that goes with its namespace is let in, and none of the whole mesh's", async () => {
    using scene = new Scene();
    scene.put(api(permissive), peerObject(`${root}/default`, { mode: "STRICT" }));
    const username = "system:serviceaccount:kube-system:namespace-controller";
    assert.match(await scene.ask({ before: api(permissive) }), /^no: /);
    assert.equal(await scene.ask({ before: api(permissive), username }), "");
    const mesh = peerObject(`${root}/old`, { mode: "PERMISSIVE" });
    const older = {
      ...mesh,
      metadata: { ...mesh.metadata, creationTimestamp: "2020-01-01T00:00:00Z" },
    };
    scene.put(older);
    const at = `${root}/old`;
    assert.match(await scene.ask({ before: older, at, username }), /^no: .*pay/);
  });

  it("that is harmless alone is refused beside another that was let in and is not told of yet", async () => {
    using scene = new Scene();
    scene.put(api(permissive), peerObject("shop/open", { mode: "PERMISSIVE", app: "web" }));
    const [at, after] = ["shop/default", peerObject("shop/default", { mode: "STRICT" })];
    assert.equal(await scene.ask({ before: api(permissive), at: "shop/api", isDryRun: true }), "");
    const both = [scene.ask({ at, after }), scene.ask({ before: api(permissive) })];
    const [first = "", second = ""] = await Promise.all(both);
    assert.equal(first, "");
    assert.match(second, /^no: .*without it shop\/api would be STRICT/);
    // Nobody says more of it than a watch does.
    scene.put(after);
    assert.match(await scene.ask({ before: api(permissive) }), /^no: /);
  });

  it("is refused beside one that somebody only says was taken back", async () => {
    using scene = new Scene();
    scene.put(api(permissive));
    assert.equal(await scene.ask({ before: api(permissive) }), "");
    // No API server has asked this.
    assert.equal(await scene.ask({ after: api(permissive) }), "");
    const after = peerObject("shop/default", { mode: "STRICT" });
    assert.match(await scene.ask({ at: "shop/default", after }), /^no: .*would be STRICT/);
  });

  it("in our own name is let in while we are writing just that", async () => {
    using scene = new Scene();
    const username = "system:serviceaccount:portcullis-system:portcullis";
    const ask = (): Promise<string> => scene.ask({ after: api(strict), username });
    assert.match(await ask(), /^no: /);
    scene.ours.push({ at: "shop/api" }, { at: "shop/api", is: api(permissive) });
    assert.match(await ask(), /^no: /);
    scene.ours.push({ at: "shop/api", is: api(strict) });
    assert.match(await scene.ask({ after: api(strict) }), /^no: /);
    assert.equal(await ask(), "");
  });

  it("is one from, and to, what stands in a file or was applied under its name", async () => {
    const below = ["directory", "applied"] as const;
    for (const layer of below) {
      using scene = new Scene();
      scene.known.putIn(layer, `${JSON.stringify(api(strict))}\n`);
      scene.put(api(permissive));
      const said = await scene.ask({ before: api(permissive) });
      assert.match(said, /^no: .*without it shop\/api would be STRICT/);
    }
    using scene = new Scene();
    scene.put(peerObject("shop/default", { mode: "STRICT" }));
    scene.known.putIn("directory", `${JSON.stringify(api(permissive))}\n`);
    const other = { mode: "PERMISSIVE", app: "web" };
    assert.match(await scene.ask({ after: api(other) }), /^no: .*shop\/api would be STRICT/);
  });

  it("is not let in for a fault of ours where that is enforced, and the fault is told in the log alone", async () => {
    const judge = { judge: () => Promise.reject(new Error("a secret")) };
    using scene = new Scene({ judge });
    const said = await scene.ask({ after: api(strict) });
    assert.match(said, /^no: whether somebody would be refused is not known/);
    assert.doesNotMatch(said, /secret/);
    assert.match(scene.log.join(""), /guard-failed.*a secret/);
    using warning = new Scene({ judge, mode: "warn" });
    assert.match(await warning.ask({ after: api(strict) }), /^Portcullis: /);
  });

  it("is answered by its deadline, and so is the one behind it", async () => {
    const judge = { judge: () => new Promise<never>(() => {}) };
    using scene = new Scene({ judge });
    const both = [scene.ask({ after: api(strict) }), scene.ask({ after: api(strict) })];
    for (const said of await Promise.all(both)) assert.match(said, /longer than 1000 ms/);
  });
});

const modes = ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"];
const spec: fc.Arbitrary<PeerSpec> = fc
  .record({
    mode: fc.constantFrom(undefined, ...modes),
    app: fc.constantFrom(undefined, "api", "web"),
    port: fc.constantFrom(undefined, ...modes),
  })
  .map(({ mode, app, port }) => ({
    ...(mode !== undefined && { mode }),
    ...(app !== undefined && { app, ...(port !== undefined && { ports: { 8080: port } }) }),
  }));
const place = fc.constantFrom("shop/a", "shop/b", `${root}/a`, "pay/a");

it("is refused where a port becomes STRICT of which nothing is known, and nowhere else", async () => {
  const peers = fc.array(fc.tuple(place, spec), { maxLength: 4 });
  const change = fc.record({ at: place, before: fc.option(spec), after: fc.option(spec) });
  await fc.assert(
    fc.asyncProperty(peers, change, async (others, { at, before, after }) => {
      if (before === null && after === null) return;
      using scene = new Scene();
      const { known } = scene;
      const created = (object: PeerObject): PeerObject => ({
        ...object,
        metadata: { ...object.metadata, creationTimestamp: "2026-01-01T00:00:00Z" } as never,
      });
      for (const [name, each] of others) scene.put(created(peerObject(name, each)));
      const key = `PeerAuthentication/${at}`;
      const having = (each: PeerSpec | null): ReadonlyMap<string, ServerMode> => {
        if (each === null) known.remove(key);
        else scene.put(created(peerObject(at, each)));
        const { mesh, objects } = known.configuration.whole();
        const found = objects.workloads.flatMap(({ ref, labels }) =>
          [0, 8080].map((port) => {
            const workload = { namespace: ref.namespace, labels };
            const { mode } = decidePort({ peers: mesh.peers, holds: new Holds() }, workload, port);
            return [`${ref.namespace}/${ref.name}:${port}`, mode] as const;
          }),
        );
        return new Map(found);
      };
      const is = having(after);
      const was = having(before);
      const isStricter = [...is].some(
        ([port, mode]) => mode === "strict" && was.get(port) !== "strict",
      );
      const said = await scene.ask({
        at,
        ...(before && { before: created(peerObject(at, before)) }),
        ...(after && { after: created(peerObject(at, after)) }),
      });
      assert.equal(said.startsWith("no: "), isStricter, said);
    }),
    { numRuns: 300 },
  );
});
