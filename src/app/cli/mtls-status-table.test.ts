import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ProxyPolicyValue } from "./mtls-status-value.ts";
import { policyStatusText } from "./mtls-status-table.ts";

const ca = "spiffe://prod.example/ns";
const plain = { colour: false, nowMs: Date.UTC(2026, 10, 29, 12), columns: undefined };

function proxy(
  name: string,
  state: string,
  more: Partial<ProxyPolicyValue> = {},
): ProxyPolicyValue {
  const [namespace = "", node = ""] = name.split("/");
  const none = { absence: "", absenceUntil: "", ports: [], waits: [], refusal: null };
  const rest = { agent: "a1", workload: name, ...none };
  return { spiffeId: `${ca}/${namespace}/sa/x`, proxy: node, state, ...rest, ...more };
}

/** Without the table. */
function linesOf(proxies: readonly ProxyPolicyValue[], namespace?: string): readonly string[] {
  const text = policyStatusText({ sequence: 1, proxies }, { namespace, ...plain });
  return (text.split("\n\n")[1] ?? "").split("\n").filter((line) => line !== "");
}

const all = [
  ["draining", /^draining: shop\/a: .*drain time, 10 s/],
  ["unobserved", /^unobserved: shop\/a: .*portcullis envoy bootstrap .*restart/],
  ["pushed", /^pushed: shop\/a: .*not answered yet.* 40 s$/],
  ["held", /^held: shop\/a: .*by itself/],
  [
    "refused",
    /^refused: shop\/a: .*tried again when those objects change, or the Envoy comes back$/,
  ],
  ["silent", /^silent: shop\/a: .*certificates have ended$/m],
  ["unknown", /^unknown: shop\/a: its Envoy has not answered/],
] as const;

describe("under the table of mtls status", () => {
  for (const [state, said] of all) {
    it(`says of ${state} why and what ends it, in one line`, () => {
      const [line = "", ...others] = linesOf([proxy("shop/a", state), proxy("shop/b", "in-force")]);
      assert.match(line, said);
      assert.deepEqual(others, []);
    });
  }

  it("says of an earlier pod of a name that it is one, and when its certificates end", () => {
    const until = "2026-11-30T14:05:00Z";
    const [gone, earlier, ...others] = linesOf([
      proxy("shop/a", "silent", { absence: "pod-gone", absenceUntil: until, workload: null }),
      proxy("shop/b", "unknown", { agent: "", absence: "earlier-pod", absenceUntil: until }),
    ]);
    assert.match(gone ?? "", /^silent: \S+ a \(until 2026-11-30T14:05:00Z\): its pod is gone, /);
    assert.deepEqual(others, [], "its node id is not mistaken");
    assert.match(
      earlier ?? "",
      /^unknown: shop\/b \(until .*\): an earlier pod of this name is gone, /,
    );
  });

  it("says nothing of what is in force", () => {
    assert.deepEqual(linesOf([proxy("shop/a", "in-force")]), []);
  });

  it("tells whom nobody heard of since the server's start from whose Envoy is late", () => {
    const [away = "", late = "", unheard = ""] = linesOf([
      proxy("shop/a", "unknown"),
      proxy("shop/b", "unknown", { agent: "", absence: "unheard" }),
      proxy("shop/c", "silent", { absence: "envoy-away" }),
    ]);
    assert.match(away, /^silent: shop\/c: its agent tells, and its Envoy has no stream/);
    assert.match(late, /^unknown: shop\/a: its Envoy/);
    assert.match(unheard, /^unknown: shop\/b: nothing was heard of it since the server's start/);
  });

  it("says of whom no WorkloadEntry is, since a mistaken node id looks healthy", () => {
    const [line = "", ...others] = linesOf([proxy("shop/a", "in-force", { workload: null })]);
    assert.match(line, /^no workload: spiffe:\S+\/sa\/x a: no WorkloadEntry .* its node id/);
    assert.deepEqual(others, []);
  });

  it("names three of many", () => {
    const many = ["a", "b", "c", "d", "e"].map((name) => proxy(`shop/${name}`, "silent"));
    assert.match(linesOf(many)[0] ?? "", /^silent: shop\/a, shop\/b, shop\/c and 2 more: /);
  });

  it("says why somebody is waited for, also one of another namespace", () => {
    const wait = {
      step: "stop-plaintext",
      endpoint: "10.0.0.7:80",
      for: [`${ca}/web/sa/x b`],
      count: 3,
    };
    const proxies = [proxy("shop/a", "held", { waits: [wait] }), proxy("web/b", "silent")];
    assert.equal(
      linesOf(proxies, "shop")[1],
      `shop/a does not refuse plaintext yet (10.0.0.7:80): waits for ${ca}/web/sa/x b (silent) and 2 more`,
    );
  });

  it("has Envoy's words of a refusal and the objects in one line", () => {
    const objects = [{ kind: "Sidecar", namespace: "shop", name: "api" }];
    const refusal = { detail: "cannot bind\nin use\n", resources: ["inbound_80"], objects };
    assert.equal(
      linesOf([proxy("shop/a", "refused", { refusal })])[1],
      "shop/a: Envoy has refused inbound_80, which comes of Sidecar shop/api, and keeps the last good one: " +
        String.raw`cannot bind\nin use`,
    );
  });
});

describe("without a line", () => {
  const said = (proxies: readonly ProxyPolicyValue[], namespace?: string): string =>
    policyStatusText({ sequence: 1, proxies }, { namespace, ...plain });

  it("says where there are proxies", () => {
    const proxies = [
      proxy("shop/a", "in-force"),
      proxy("shop/b", "in-force"),
      proxy("web/c", "held"),
    ];
    assert.equal(said(proxies, "nope"), "no proxy in nope; 3 proxies in shop, web\n");
  });

  it("says that there is none, and how there is one", () => {
    for (const namespace of [undefined, "nope"]) {
      assert.match(
        said([], namespace),
        /^no proxy has asked .*portcullis envoy bootstrap --help\n$/,
      );
    }
  });
});
