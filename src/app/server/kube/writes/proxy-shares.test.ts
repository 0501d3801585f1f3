import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PolicyIndex } from "../../../../core/policy/policy-index.ts";
import type { GonePod } from "../../../../core/kube/who/gone-pod.ts";
import type { ProxyIdentity } from "../../../../core/policy/proxy-identity.ts";
import { emptyPolicy } from "../../../../core/policy/proxy-policy.ts";
import type { Applied } from "../../../../core/policy/rollout-proxy.ts";
import { parseManifests } from "../../../../edge/resources/parse-manifests.ts";
import { proxyShares } from "./proxy-shares.ts";

const manifests = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: shop }
spec: { mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: cart, namespace: shop }
spec:
  selector: { matchLabels: { app: cart } }
  mtls: { mode: STRICT }
  portLevelMtls: { 8080: { mode: PERMISSIVE } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: nobody, namespace: shop }
spec: { selector: { matchLabels: { app: nobody } }, mtls: { mode: STRICT } }
${["cart-1", "cart-2", "till-1"]
  .map(
    (name) => `---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, namespace: shop, labels: { app: ${name.split("-")[0]} } }
spec: { address: 10.0.0.1, labels: { app: ${name.split("-")[0]} }, serviceAccount: a }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ${name}, namespace: shop }
spec:
  workloadSelector: { labels: { app: ${name.split("-")[0]} } }
  ingress:
    - { port: { number: 8080, protocol: HTTP, name: http }, defaultEndpoint: "127.0.0.1:80" }
`,
  )
  .join("")}`;

const identityOf = (nodeId: string): ProxyIdentity => {
  const key = `a ${nodeId}`;
  const claimedLabels = new Map([["app", nodeId.split("-")[0] ?? ""]]);
  return { key, namespace: "shop", serviceAccount: "a", nodeId, claimedLabels };
};

describe("the proxies of a PeerAuthentication", () => {
  it("are those for whose ports it decides, and of these the ones that have them as it says", () => {
    const index = new PolicyIndex("td");
    const { objects, problems } = parseManifests(manifests, "f.yaml");
    assert.deepEqual(problems, []);
    for (const { object } of objects) index.set(object);
    const told = ["cart-1", "till-1"].map(identityOf);
    const expected = new Map([["a cart-2", identityOf("cart-2")]]);
    for (const each of [...told, ...expected.values()]) index.addProxy(each);
    const appliedBy = new Map<string, Applied>([
      ["a cart-1", index.desired("a cart-1")],
      ["a till-1", { ...emptyPolicy, inbound: index.desired("a cart-1")?.inbound ?? [] }],
    ]);
    const applied = (key: string): Applied => appliedBy.get(key);
    const gone = (key: string): GonePod | undefined =>
      key === "a cart-2" ? { absence: "earlier-pod", absentUntilMs: 9_000 } : undefined;
    const sharesAt = (nowMs: number, of: typeof gone = () => undefined) => {
      const all = () =>
        told.map((identity) => ({ identity, applied: applied(identity.key), session: {} }));
      const gonePods = { of, hasEnded: (key: string, ms: number) => 9_000 <= ms && !!of(key) };
      return new Map(proxyShares({ proxies: { all }, expected, index, gonePods }, nowMs));
    };
    assert.deepEqual(Object.fromEntries(sharesAt(0)), {
      "shop/cart": { confirmed: 1, total: 2 },
      "shop/default": { confirmed: 0, total: 1 },
    });
    assert.deepEqual(sharesAt(8_999, gone).get("shop/cart"), {
      confirmed: 1,
      total: 2,
      gone: 1,
      goneUntilMs: 9_000,
    });
    const past = sharesAt(9_000, gone).get("shop/cart");
    assert.deepEqual(past, { confirmed: 1, total: 1 }, "past its time it counts no more");
  });
});
