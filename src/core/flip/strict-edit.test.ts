import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { peer, service, sidecar, workload } from "../../../test/policy/objects.ts";
import { editSources } from "../../../test/support/flip-objects.ts";
import { labelsOf, type WrittenPeer } from "../../../test/support/policy-objects.ts";
import type { PolicyObject } from "../resources/policy-object.ts";
import { nameKey } from "../resources/resource.ts";
import { isRefusal, type FlipRefusal } from "./flip-error.ts";
import { isStanding, objectSays, overrulersOf } from "./object-says.ts";
import { resolveTarget } from "./resolve-target.ts";
import { planStrict, type StrictEdit } from "./strict-edit.ts";
import { modeOfAll, targetPorts } from "./target-modes.ts";

const shop: readonly PolicyObject[] = [
  sidecar("shop/all", {
    ingress: [8080, 9000].map((number) => ({
      port: { number, name: `p${number}`, protocol: "HTTP" },
      bind: "",
      defaultEndpoint: `127.0.0.1:${number + 1}`,
    })),
  }),
  service("shop/api"),
  workload("shop/api-0", { labels: labelsOf({ app: "api", version: "v1" }) }),
  workload("shop/api-1", { labels: labelsOf({ app: "api", version: "v2" }) }),
  workload("shop/web-0", { labels: labelsOf({ app: "web", version: "v1" }) }),
];

function plan(text: string, ...more: readonly PolicyObject[]): StrictEdit | FlipRefusal {
  const sources = editSources([...shop, ...more], 5_000);
  return planStrict(resolveTarget(text, sources.view), sources);
}

function planned(text: string, ...more: readonly PolicyObject[]): StrictEdit {
  const edit = plan(text, ...more);
  assert.ok(!isRefusal(edit), "code" in edit ? edit.message : "");
  return edit;
}

const api = { at: "shop/p", selector: { app: "api" } };
const kept = {
  apiVersion: "security.istio.io/v1",
  kind: "PeerAuthentication",
  metadata: {
    name: "p",
    namespace: "shop",
    labels: { team: "x" },
    annotations: { note: "mine" },
  },
};

const edits: readonly (readonly [
  title: string,
  target: string,
  before: WrittenPeer | undefined,
  spec: object,
  ports?: readonly (readonly number[])[],
])[] = [
  [
    "the policy of just these workloads",
    "shop/api",
    { ...api, mode: "PERMISSIVE" },
    { mtls: { mode: "STRICT" }, selector: { matchLabels: { app: "api" } } },
  ],
  [
    "one that says nothing of its mode",
    "shop/api",
    { ...api, mode: "UNSET" },
    { mtls: { mode: "STRICT" }, selector: { matchLabels: { app: "api" } } },
  ],
  [
    "lines of ports that say PERMISSIVE, and no others",
    "shop/api",
    { ...api, mode: "PERMISSIVE", ports: { 8080: "PERMISSIVE", 9000: "STRICT", 9001: "UNSET" } },
    {
      mtls: { mode: "STRICT" },
      portLevelMtls: {
        8080: { mode: "STRICT" },
        9000: { mode: "STRICT" },
        9001: { mode: "UNSET" },
      },
      selector: { matchLabels: { app: "api" } },
    },
    [[], [9000]],
  ],
  [
    "one port alone",
    "shop/api:8080",
    { ...api, mode: "PERMISSIVE", ports: { 9000: "DISABLE" } },
    {
      mtls: { mode: "PERMISSIVE" },
      portLevelMtls: { 8080: { mode: "STRICT" }, 9000: { mode: "DISABLE" } },
      selector: { matchLabels: { app: "api" } },
    },
    [[8080], []],
  ],
  [
    "what is left of one that is strict",
    "shop/api",
    { ...api, mode: "STRICT", ports: { 8080: "PERMISSIVE" } },
    {
      mtls: { mode: "STRICT" },
      portLevelMtls: { 8080: { mode: "STRICT" } },
      selector: { matchLabels: { app: "api" } },
    },
    [[8080], []],
  ],
  [
    "a namespace's, whose lines of ports count for nobody and stay",
    "shop",
    { at: "shop/p", mode: "PERMISSIVE", ports: { 80: "PERMISSIVE" } },
    { mtls: { mode: "STRICT" }, portLevelMtls: { 80: { mode: "PERMISSIVE" } } },
  ],
  [
    "the policy of the namespace",
    "shop",
    { at: "shop/p", mode: "PERMISSIVE" },
    { mtls: { mode: "STRICT" } },
  ],
];

describe("an edit changes", () => {
  for (const [title, target, before, spec, [ports, exceptPorts] = [[], []]] of edits) {
    test(title, () => {
      const edit = planned(target, ...(before === undefined ? [] : [peer(before)]));
      assert.deepEqual(edit.after.manifest, { ...kept, spec });
      assert.deepEqual([edit.ports, edit.exceptPorts], [ports, exceptPorts]);
      assert.equal(nameKey(edit.ref), "shop/p");
    });
  }
});

test("where none is for just these workloads one is made, with the age of now", () => {
  const edit = planned("shop/api:9000");
  assert.equal(edit.before, undefined);
  assert.equal(edit.after.object.createdMs, 5_000);
  assert.deepEqual(edit.after.manifest, {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name: "api", namespace: "shop" },
    spec: {
      portLevelMtls: { 9000: { mode: "STRICT" } },
      selector: { matchLabels: { app: "api" } },
    },
  });
  const wide = planned("shop");
  assert.deepEqual(wide.after.manifest["spec"], { mtls: { mode: "STRICT" } });
  assert.equal(nameKey(wide.ref), "shop/default");
});

test("of two that select the same the oldest is edited: the other is of no effect", () => {
  const old = peer({
    at: "shop/z",
    selector: { app: "api" },
    mode: "PERMISSIVE",
    createdMs: 1_000,
  });
  assert.equal(nameKey(planned("shop/api", peer({ ...api, mode: "STRICT" }), old).ref), "shop/z");
});

test("the mesh's policy is left alone, and a namespace's stands over it", () => {
  const mesh = peer({ at: "istio-system/default", mode: "PERMISSIVE" });
  assert.equal(nameKey(planned("shop", mesh).ref), "shop/default");
});

const off = "DISABLE";
const refusals: readonly (readonly [
  title: string,
  target: string,
  objects: readonly PolicyObject[],
  code: string,
  text: RegExp,
])[] = [
  [
    "another policy decides for some of the target",
    "shop/api",
    [
      peer({ ...api, mode: "PERMISSIVE", createdMs: 9 }),
      peer({ at: "shop/v1", mode: "PERMISSIVE", selector: { version: "v1" }, createdMs: 1 }),
    ],
    "other-object",
    /just shop\/api \(app=api\), got shop\/v1 \(version=v1\), which decides for shop\/web-0, too.*mtls flip shop\/peerauthentication\/v1 /s,
  ],
  [
    "another policy decides for all of the target and nobody else",
    "shop/web-0",
    [peer({ at: "shop/web", mode: "PERMISSIVE", selector: { app: "web" } })],
    "other-object",
    /got shop\/web \(app=web\)$/m,
  ],
  [
    "a policy of the namespace has the name that a new one would have",
    "shop/api",
    [peer({ at: "shop/api", mode: "PERMISSIVE" })],
    "name-taken",
    /shop\/api, which the flip of shop\/api would make, got one for all of the namespace/,
  ],
  [
    "a policy with a selector has the name that the namespace's would have",
    "shop",
    [peer({ at: "shop/default", mode: "PERMISSIVE", selector: { app: "web" } })],
    "name-taken",
    /got one for app=web/,
  ],
  [
    "it is disabled",
    "shop/api",
    [peer({ ...api, mode: off })],
    "disabled",
    /DISABLE for shop\/api-0:8080.*by PeerAuthentication shop\/p.*mtls permissive shop\/api --until/s,
  ],
  [
    "it is disabled for the whole mesh",
    "shop",
    [peer({ at: "istio-system/m", mode: off })],
    "disabled",
    /by PeerAuthentication istio-system\/m.*mtls permissive shop /s,
  ],
  [
    "a port of it is disabled by a line of its own",
    "shop/api",
    [peer({ ...api, mode: "PERMISSIVE", ports: { 9000: off } })],
    "port-disabled",
    /shop\/api-0:9000, shop\/api-1:9000.*mtls flip shop\/api:8080 --to strict; or first: portcullis mtls permissive shop\/api:9000 /s,
  ],
  [
    "the port is disabled",
    "shop/api:9000",
    [peer({ ...api, mode: "PERMISSIVE", ports: { 9000: off } })],
    "disabled",
    /mtls permissive shop\/api:9000 /,
  ],
  ["it is strict", "shop/api", [peer({ ...api, mode: "STRICT" })], "already-strict", /mtls status/],
  [
    "the mesh is strict",
    "shop",
    [peer({ at: "istio-system/m", mode: "STRICT" })],
    "already-strict",
    /strict already/,
  ],
  [
    "the port is strict",
    "shop/api:9000",
    [peer({ ...api, mode: "UNSET", ports: { 9000: "STRICT" } })],
    "already-strict",
    /strict already/,
  ],
];

describe("refuses a flip where", () => {
  for (const [title, target, objects, code, text] of refusals) {
    test(title, () => {
      const refusal = plan(target, ...objects);
      assert.ok(isRefusal(refusal));
      assert.equal(refusal.code, code);
      assert.match(`${refusal.message}\n${refusal.hint}`, text);
    });
  }
});

test("a target has one mode, or is mixed", () => {
  const modeOf = (text: string, ...objects: readonly PolicyObject[]) => {
    const { view } = editSources([...shop, ...objects]);
    const ports = targetPorts(view, resolveTarget(text, view));
    return modeOfAll(ports.map(({ decision }) => decision.mode));
  };
  const half = peer({ ...api, mode: "STRICT", ports: { 9000: "PERMISSIVE" } });
  assert.equal(modeOf("shop/api"), "permissive");
  assert.equal(modeOf("shop/api", half), "mixed");
  assert.equal(modeOf("shop/api:8080", half), "strict");
  assert.equal(modeOf("shop", half, peer({ at: "shop/default", mode: "DISABLE" })), "disable");
});

test("what the objects say is told by what they do", () => {
  const before = peer({ ...api, mode: "PERMISSIVE" });
  const { target, edit, ...ports } = flipOf("shop/api", before);
  const says = (...objects: readonly PolicyObject[]) =>
    objectSays({ target, edit, ...ports }, editSources([...shop, ...objects]).view);
  assert.equal(says(before), "before");
  assert.equal(says(peer({ ...api, mode: "STRICT" })), "after");
  assert.equal(says(peer({ at: "shop/other", selector: { app: "api" }, mode: "STRICT" })), "after");
  assert.equal(
    says(peer({ at: "shop/v1", selector: { version: "v1" }, mode: "STRICT" })),
    "partly",
  );
  assert.equal(says(peer({ ...api, mode: "STRICT", ports: { 8080: "PERMISSIVE" } })), "partly");
  assert.equal(says(peer({ ...api, mode: "UNSET" })), "other");
  assert.equal(says(), "other");
  const older = peer({ at: "shop/aaa", selector: { app: "api" }, mode: "PERMISSIVE" });
  const strict = peer({ ...api, mode: "STRICT" });
  const stands = (...objects: readonly PolicyObject[]) => {
    const { view } = editSources([...shop, ...objects]);
    const flip = { target, edit, ...ports };
    return [objectSays(flip, view), isStanding(flip, view), overrulersOf(flip, view)];
  };
  assert.deepEqual(stands(strict), ["after", true, []]);
  assert.deepEqual(stands(older, strict), ["overruled", true, ["shop/aaa"]]);
  assert.deepEqual(stands(older), ["other", false, ["shop/aaa"]]);
  assert.deepEqual(stands(older, before)[1], false);
  const made = flipOf("shop/api:8080");
  assert.equal(objectSays(made, editSources(shop).view), "before");
  assert.equal(
    objectSays(made, editSources([...shop, peer({ ...api, mode: "STRICT" })]).view),
    "after",
  );
});

function flipOf(text: string, ...objects: readonly PolicyObject[]) {
  const { ref, before, after, ports, exceptPorts } = planned(text, ...objects);
  const target = resolveTarget(text, editSources([...shop, ...objects]).view);
  const beforeJson = before && JSON.stringify(before.manifest);
  const edit = { ref, beforeJson, afterJson: JSON.stringify(after.manifest), isOurs: true };
  return { target, edit, ports, exceptPorts };
}
