import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pino } from "pino";
import { eventually } from "../../../../../test/support/control-plane.ts";
import { FakeWatch } from "../../../../../test/support/watched-cache.ts";
import { KubeError } from "../../../../edge/kube/kube-error.ts";
import type { DefinitionState } from "../../../../edge/kube/read/read-definition.ts";
import type { WatchedManifest } from "../../../../edge/kube/read/read-policy-objects.ts";
import { parseManifest } from "../../../../edge/resources/parse-manifests.ts";
import type { ResourcesAtRest } from "../../../../edge/store/resources.ts";
import type { LogEvent } from "../../log/log-keeper.ts";
import { Resources } from "../../policy/resources/resources.ts";
import { ClusterFollower } from "./cluster-follower.ts";

function peer(name: string, mode: string): WatchedManifest {
  const metadata = { namespace: "shop", name };
  const manifest = {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata,
    spec: { mtls: { mode } },
  };
  const { objects, problems } = parseManifest(JSON.stringify(manifest), "cluster");
  return { ...metadata, uid: name, generation: 1, loaded: objects[0], problems };
}

interface Rig extends AsyncDisposable {
  readonly watch: FakeWatch<WatchedManifest>;
  readonly follower: ClusterFollower;
  readonly events: readonly LogEvent[];
  readonly resources: Resources;
  readonly has: () => readonly string[];
  definition: DefinitionState | "away";
  /** What happens while the answer is on its way. */
  meanwhile: () => void;
  isFull: boolean;
  nowMs: number;
}

function rig(): Rig {
  const watch = new FakeWatch<WatchedManifest>();
  const events: LogEvent[] = [];
  const state: Pick<Rig, "definition" | "meanwhile" | "isFull" | "nowMs"> = {
    definition: "there",
    meanwhile: () => {},
    isFull: false,
    nowMs: 0,
  };
  const empty: ResourcesAtRest = {
    sequence: 0,
    layers: { directory: [], applied: [], cluster: [] },
  };
  const resources = new Resources({
    stored: { load: () => empty, change: (before) => before + 1 },
    record: async (event) => {
      if (state.isFull) throw new Error("full");
      events.push(event);
    },
    nowMs: () => 0,
  });
  const follower = new ClusterFollower({
    policies: [
      {
        kind: "PeerAuthentication",
        cache: watch.cache,
        onChange: (listener) => watch.onChange(listener),
        state: () => watch.state(),
        definition: async () => {
          const { definition } = state;
          if (definition === "away") throw new KubeError("kube-unreachable", "away");
          state.meanwhile();
          return definition;
        },
      },
    ],
    resources,
    log: pino({ level: "silent" }),
    nowMs: () => state.nowMs,
  });
  const has = (): readonly string[] =>
    Array.from(resources.set.layer("cluster").values(), ({ object }) => object.object.ref.name);
  return Object.assign(state, {
    watch,
    follower,
    events,
    resources,
    has,
    [Symbol.asyncDispose]: () => follower[Symbol.asyncDispose](),
  });
}

describe("the cluster's policies", () => {
  it("are in force as the watch tells of them, and many messages are one change", async () => {
    await using all = rig();
    all.watch.list();
    for (let at = 0; at < 500; at++) all.watch.set(peer(`p-${at}`, "STRICT"));
    await eventually(() => all.has().length === 500);
    assert.equal(all.events.length, 1);
    all.watch.set(peer("p-0", "DISABLE"));
    all.watch.delete(peer("p-1", ""));
    await eventually(() => all.has().length === 499);
    assert.equal(all.events.length, 2);
  });

  const cases: readonly (readonly [string, Rig["definition"], readonly string[]])[] = [
    ["go where their kind is there", "there", ["b"]],
    ["stay where their kind is being taken away", "going", ["a", "b"]],
    ["stay while the API server cannot be asked", "away", ["a", "b"]],
    ["go one by one where it may not be asked", "unknown", ["b"]],
  ];
  for (const [title, definition, expected] of cases) {
    it(title, async () => {
      await using all = rig();
      all.watch.list(peer("a", "STRICT"), peer("b", "STRICT"));
      await all.follower.takeNow();
      all.definition = definition;
      all.watch.delete(peer("a", ""));
      await all.follower.takeNow();
      assert.deepEqual(all.has().toSorted(), expected);
    });
  }

  it("stay where their kind is taken away while it is asked about, and only what had gone before goes", async () => {
    await using all = rig();
    all.watch.list(...["a", "b", "c"].map((name) => peer(name, "STRICT")));
    await all.follower.takeNow();
    all.meanwhile = () => {
      all.definition = "going";
      all.watch.delete(peer("b", ""), peer("c", ""));
    };
    all.watch.delete(peer("a", ""));
    await all.follower.takeNow();
    assert.deepEqual(all.has().toSorted(), ["b", "c"]);
    const { set } = all.resources;
    await eventually(() => set.problems.some(({ code }) => code === "cluster-kind-absent"));
    assert.deepEqual(all.has().toSorted(), ["b", "c"]);
  });

  it("go by a newer look where they went while their kind was asked about, and what is new is in force before", async () => {
    await using all = rig();
    all.watch.list(...["a", "b"].map((name) => peer(name, "STRICT")));
    await all.follower.takeNow();
    all.meanwhile = () => {
      all.meanwhile = () => {};
      all.watch.delete(peer("b", ""));
      all.watch.set(peer("c", "STRICT"));
    };
    all.watch.delete(peer("a", ""));
    await all.follower.takeNow();
    assert.deepEqual(all.has().toSorted(), ["b", "c"]);
    await eventually(() => all.has().join() === "c");
  });

  it("stay for a while where the last of them has gone and nobody may ask why, and then go", async () => {
    await using all = rig();
    all.watch.list(peer("a", "STRICT"));
    await all.follower.takeNow();
    all.definition = "unknown";
    all.watch.delete(peer("a", ""));
    await all.follower.takeNow();
    all.nowMs = 11_000;
    await all.follower.takeNow();
    assert.deepEqual(all.has(), ["a"]);
    all.nowMs = 12_000;
    await eventually(() => all.has().length === 0);
  });

  it("stay where the kind is gone, however often it is looked at, until a list comes again", async () => {
    await using all = rig();
    all.watch.list(peer("a", "STRICT"));
    await all.follower.takeNow();
    all.watch.is({ isAbsent: true });
    await all.follower.takeNow();
    await all.follower.takeNow();
    assert.deepEqual(all.has(), ["a"]);
    assert.deepEqual(
      all.resources.set.problems.map(({ code }) => code),
      ["cluster-kind-absent"],
    );
    all.watch.list();
    await eventually(() => all.has().length === 0);
    assert.deepEqual(all.resources.set.problems, []);
  });

  it("are in force a little later where the log could not be written", async () => {
    await using all = rig();
    all.isFull = true;
    all.watch.list(peer("a", "STRICT"));
    await all.follower.takeNow();
    assert.deepEqual(all.has(), []);
    all.isFull = false;
    await eventually(() => all.has().length === 1, 10_000);
  });
});
