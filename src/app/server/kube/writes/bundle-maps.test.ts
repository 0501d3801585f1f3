import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { Registry } from "prom-client";
import { logRecorder } from "../../../../../test/support/log-recorder.ts";
import { OddApiServer, type Answer } from "../../../../../test/support/odd-api-server.ts";
import type { BundleMap } from "../../../../core/kube/writes/bundle-map.ts";
import type { KubeNamespace } from "../../../../core/kube/namespace.ts";
import { ObjectCache, type ObjectChange } from "../../../../core/kube/object-cache.ts";
import { textSha256 } from "../../../../edge/kube/write/bundle-config-map.ts";
import { WritePace } from "../../../../edge/kube/write/write-pace.ts";
import { BundleMapEvents } from "../../../../edge/telemetry/bundle-map-events.ts";
import { BundleMaps } from "./bundle-maps.ts";

const roots = { pem: "roots", sha256: textSha256("roots") };
const nowMs = (): number => performance.now();
const mapName = "istio-ca-root-cert";

/** With other roots. */
function immutableMap(namespace: string, uid: string): BundleMap {
  const rest = { deletionMs: undefined, rootsSha256: "other", isLabelled: true, manager: "" };
  return { namespace, name: mapName, uid, resourceVersion: "1", ...rest };
}

function say(response: ServerResponse, status: number, body: object, retryAfter?: string): void {
  response.statusCode = status;
  if (retryAfter !== undefined) response.setHeader("retry-after", retryAfter);
  response.end(JSON.stringify(body));
}

/** Namespaces without a ConfigMap, and an API server that answers their making as it is told to. */
async function rig(names: readonly string[], answer: Answer, mayWrite = (): boolean => true) {
  const server = await OddApiServer.start(answer);
  const namespaces = new ObjectCache<KubeNamespace>();
  for (const name of names) {
    namespaces.set({ namespace: "", name, uid: name, labels: new Map(), isTerminating: false });
  }
  const { log, events } = logRecorder();
  const maps = new BundleMaps({
    connection: server.connection,
    pace: new WritePace({ nowMs }),
    name: mapName,
    namespaces,
    maps: () => seen,
    roots: () => roots,
    mayWrite,
    events: new BundleMapEvents(log, new Registry()),
    random: () => 0,
    nowMs,
  });
  const seen = new ObjectCache<BundleMap>();
  return {
    maps,
    seen,
    events,
    asked: (): readonly string[] =>
      server.requests.map(({ pathname }) => pathname.split("/")[4] ?? ""),
    [Symbol.asyncDispose]: async (): Promise<void> => {
      await maps[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = nowMs() + 10_000;
  while (!condition()) {
    assert.ok(nowMs() < deadlineMs, "it took too long");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const names = Array.from({ length: 12 }, (_, at) => `n${at}`);

describe("ConfigMaps with the roots", () => {
  it("wait all together while the API server asks for it, and are said to", async () => {
    let refused = 0;
    await using shown = await rig(names, (_: IncomingMessage, response) => {
      if (refused++ < 8) say(response, 429, { message: "later" }, "1");
      else say(response, 201, {});
    });
    const startMs = nowMs();
    shown.maps.lookAtAll();
    await until(() => refused === 20);
    assert.ok(nowMs() - startMs >= 1_000, `${nowMs() - startMs} ms`);
    await until(() => shown.events.length === 2);
    assert.deepEqual(
      shown.events.map(({ event, reason, retryMs }) => [event, reason, retryMs]),
      [
        ["bundle-maps-waiting", "kube-throttled", 1_000],
        ["bundle-maps-recovered", undefined, undefined],
      ],
    );
  });

  it("are asked for in their order, each once, although the API server is broken for a while", async () => {
    let answers = 0;
    await using shown = await rig(names, (_: IncomingMessage, response) => {
      say(response, answers++ < 8 ? 500 : 201, {});
    });
    shown.maps.lookAtAll();
    shown.maps.lookAtAll();
    await until(() => shown.events.length === 2);
    await until(() => answers === 20);
    assert.deepEqual(shown.asked().slice(0, 8).toSorted(), names.slice(0, 8).toSorted());
    assert.deepEqual(shown.asked().slice(8).toSorted(), names.toSorted());
  });

  it("wait while the roots of the server may be old, and are written when they are not", async () => {
    let mayWrite = false;
    const created: Answer = (_: IncomingMessage, response) => say(response, 201, {});
    await using shown = await rig(names, created, () => mayWrite);
    shown.maps.lookAtAll();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.deepEqual(shown.asked(), []);
    mayWrite = true;
    await until(() => shown.asked().length === names.length);
    assert.deepEqual(shown.asked().toSorted(), names.toSorted());
    assert.deepEqual(shown.events, []);
  });

  it("are not written any more when their turn comes, where the roots may be old by then", async () => {
    let asked = 0;
    const created: Answer = (_: IncomingMessage, response) => say(response, 201, {});
    // Of each of the first eight: when it is taken up, and when it may be sent.
    await using shown = await rig(names, created, () => asked++ < 8);
    shown.maps.lookAtAll();
    await until(() => asked > 16);
    assert.deepEqual(shown.asked(), []);
  });

  it("are left where a namespace ends, and that is no noise of one line each", async () => {
    const message = "unable to create new content in namespace because it is being terminated";
    await using shown = await rig(names, (_: IncomingMessage, response) => {
      say(response, 403, { message });
    });
    shown.maps.lookAtAll();
    await until(() => shown.maps.state().failing.length === 12);
    shown.maps.lookAtAll();
    assert.equal(shown.asked().length, 12);
    assert.deepEqual(
      shown.events.map(({ event, namespaces }) => [event, namespaces]),
      [1, 2, 4, 8].map((each) => ["bundle-map-refused", each]),
    );
  });

  it("are written at once where the one that could not be changed is deleted, and said once where it comes again", async () => {
    const asked: string[] = [];
    await using shown = await rig(["n0"], ({ method }, response) => {
      asked.push(method ?? "");
      if (method === "POST") say(response, 201, {});
      else say(response, 422, { message: "field is immutable" });
    });
    const changed = (...changes: readonly ObjectChange<BundleMap>[]): void =>
      shown.maps.mapsChanged(changes);
    const failing = (): number => shown.maps.state().failing.length;
    changed(...shown.seen.set(immutableMap("n0", "u-1")));
    await until(() => failing() === 1);
    changed(...shown.seen.set({ ...immutableMap("n0", "u-1"), resourceVersion: "2" }));
    changed(...shown.seen.set(immutableMap("n0", "u-2")));
    await until(() => asked.length === 2);
    changed(...shown.seen.delete({ namespace: "n0", name: mapName }));
    await until(() => failing() === 0);
    assert.deepEqual(asked, ["PATCH", "PATCH", "POST"]);
    assert.equal(shown.events.length, 1);
  });

  it("are behind until the watch has seen them, and say why they cannot be written, and when they are tried again", async () => {
    const message = "User cannot create";
    await using shown = await rig(["n0"], (_: IncomingMessage, response) => {
      say(response, 403, { message });
    });
    shown.maps.lookAtAll();
    await until(() => shown.maps.state().failing.length === 1);
    const rootMaps = shown.maps.rootMaps();
    assert.ok(rootMaps?.kind === "listed");
    assert.deepEqual([rootMaps.current, rootMaps.behind], [0, ["n0"]]);
    assert.match(rootMaps.whyOf("n0"), /403 User cannot create; next try in 1[45]s$/);
    shown.seen.set({ ...immutableMap("n0", "u-1"), rootsSha256: roots.sha256 });
    const seen = shown.maps.rootMaps();
    assert.ok(seen?.kind === "listed" && seen.current === 1 && seen.behind.length === 0);
  });

  it("say that the API server has other things to do while all of them wait", async () => {
    await using shown = await rig(["n0"], (_: IncomingMessage, response) => {
      say(response, 429, { message: "later" }, "30");
    });
    shown.maps.lookAtAll();
    await until(() => shown.events.length === 1);
    const rootMaps = shown.maps.rootMaps();
    assert.match(rootMaps?.kind === "listed" ? rootMaps.whyOf("n0") : "", /429 later; next try in/);
  });

  it("are judged again after each conflict, five times at once", async () => {
    const asked: string[] = [];
    await using shown = await rig(["n0"], ({ method }, response) => {
      asked.push(method ?? "");
      if (method === "GET") say(response, 404, { message: "gone again" });
      else say(response, 409, { message: "there is one" });
    });
    shown.maps.lookAtAll();
    await until(() => asked.length === 9);
    assert.equal(asked.join(" "), "POST GET POST GET POST GET POST GET POST");
    assert.deepEqual([shown.events, shown.maps.state().failing], [[], []]);
  });

  it("need nothing written where the one that came first says the same", async () => {
    const asked: string[] = [];
    await using shown = await rig(["n0"], ({ method }, response) => {
      asked.push(method ?? "");
      if (method !== "GET") return say(response, 409, { message: "there is one" });
      const metadata = { name: "m", uid: "u", labels: { "istio.io/config": "true" } };
      return say(response, 200, { metadata, data: { "root-cert.pem": "roots" } });
    });
    shown.maps.lookAtAll();
    await until(() => asked.length === 2);
    assert.deepEqual(asked, ["POST", "GET"]);
  });

  it("end at once with the server, whatever is under way", async () => {
    const shown = await rig(names, () => {});
    shown.maps.lookAtAll();
    await until(() => shown.asked().length === 8);
    await shown[Symbol.asyncDispose]();
    assert.deepEqual(shown.events, []);
  });
});
