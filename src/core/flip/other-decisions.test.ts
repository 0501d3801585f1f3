import assert from "node:assert/strict";
import { test } from "node:test";
import { peer, service, sidecar, workload } from "../../../test/policy/objects.ts";
import { labelsOf } from "../../../test/support/policy-objects.ts";
import { Holds } from "../policy/holds.ts";
import { MeshView } from "../policy/mesh-view.ts";
import type { PolicyObject } from "../resources/policy-object.ts";
import { otherDecisions, type OtherDecision } from "./other-decisions.ts";
import { resolveTarget } from "./resolve-target.ts";

const port = { number: 8080, name: "p", protocol: "HTTP" } as const;
const shop = [
  sidecar("shop/all", { ingress: [{ port, bind: "", defaultEndpoint: "127.0.0.1:9000" }] }),
  workload("shop/api-0", { labels: labelsOf({ app: "api" }) }),
  workload("shop/api-1", { labels: labelsOf({ app: "api", version: "2" }) }),
  workload("shop/web-0", { labels: labelsOf({ app: "web" }) }),
  workload("shop/vm-0", { labels: labelsOf({ app: "api" }), serviceAccount: "" }),
  workload("bank/api-0", { labels: labelsOf({ app: "api" }) }),
];
const api = { at: "shop/api", selector: { app: "api" } } as const;

function saidOf(
  objects: readonly PolicyObject[],
  text = "shop",
  more: Parameters<typeof otherDecisions>[2] = {},
): readonly string[] {
  const view = new MeshView([...shop, ...objects], "td");
  const said = ({ target, object, mode, workloads }: OtherDecision): string =>
    `${target} by ${object.name} ${mode}: ${workloads.join(" ")}`;
  return otherDecisions(view, resolveTarget(text, view), more).map(said);
}

test("a namespace without objects for some alone leaves nobody out, and a service never does", () => {
  const all = peer({ at: "shop/default", mode: "STRICT" });
  const own = peer({ ...api, mode: "PERMISSIVE" });
  assert.deepEqual(saidOf([all]), []);
  assert.deepEqual(saidOf([all, peer({ ...api, mode: "UNSET" })]), []);
  assert.deepEqual(saidOf([all, own, service("shop/api")], "shop/serviceentry/api"), []);
});

test("each object that decides is named once, with whom it decides for and what it says", () => {
  const own = peer({ ...api, mode: "PERMISSIVE", ports: { 8080: "STRICT" } });
  const web = peer({ at: "shop/w", selector: { app: "web" }, mode: "DISABLE" });
  assert.deepEqual(saidOf([web, own]), [
    "shop/api by api mixed: shop/api-0 shop/api-1",
    "shop/w by w disable: shop/web-0",
  ]);
});

test("of an object that says something of a port alone, that port is left out", () => {
  const own = peer({ ...api, mode: "UNSET", ports: { 9000: "PERMISSIVE" } });
  assert.deepEqual(saidOf([own]), ["shop/api:9000 by api permissive: shop/api-0 shop/api-1"]);
});

test("one whose name means something else, too, is named with its kind", () => {
  const own = peer({ ...api, mode: "PERMISSIVE" });
  const other = service("shop/api", { workloadSelector: labelsOf({ app: "web" }) });
  assert.deepEqual(saidOf([own, other]), [
    "shop/peerauthentication/api by api permissive: shop/api-0 shop/api-1",
  ]);
});

test("whoever has no entry is selected by its own word, and whoever is held back is not strict", () => {
  const own = peer({ ...api, mode: "STRICT" });
  const hold = { flip: 1, namespace: "shop", selector: labelsOf({ app: "api" }) };
  const rest = { ports: [], exceptPorts: [], strict: new Set(["shop/api-0"]) };
  const strays = [{ name: "shop/x", labels: labelsOf({ app: "api" }) }];
  assert.deepEqual(saidOf([own], "shop", { strays }), [
    "shop/api by api strict: shop/api-0 shop/api-1 shop/x",
  ]);
  assert.deepEqual(saidOf([own], "shop", { holds: new Holds([{ ...hold, ...rest }]) }), [
    "shop/api by api mixed: shop/api-0 shop/api-1",
  ]);
});
