import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pino } from "pino";
import { AuthnError } from "../../../../core/identity/authn-error.ts";
import type { ClaimedCaller } from "../../../../core/identity/kubernetes-review-caller.ts";
import { ObjectCache } from "../../../../core/kube/object-cache.ts";
import type { Pod } from "../../../../core/kube/pod.ts";
import { SpiffeId } from "../../../../core/spiffe/id.ts";
import type { PodAddressCheck as Setting } from "../../../../edge/config/kube-settings.ts";
import { KubeEvents, type AddressAction } from "../../../../edge/telemetry/kube-events.ts";
import { Arrivals } from "../arrivals.ts";
import type { Kube } from "../kube.ts";
import { PodAddressCheck } from "./pod-address-check.ts";

const pod: Pod = {
  namespace: "shop",
  name: "cart-1",
  uid: "u-1",
  createdMs: undefined,
  deletionMs: undefined,
  serviceAccount: "cart",
  nodeName: "n-1",
  phase: "Running",
  podIPs: ["10.1.2.3"],
  labels: new Map(),
  hostNetwork: false,
  isReady: true,
};
const claimed: ClaimedCaller = {
  id: SpiffeId.parse("spiffe://cluster.local/ns/shop/sa/cart"),
  namespace: "shop",
  serviceAccount: "cart",
  expiresAtMs: Infinity,
  evidence: { method: "jwt", issuer: "https://issuer", pod: { name: "cart-1", uid: "u-1" } },
};
const home = "10.1.2.3:40000";
const away = "10.9.9.9:40000";

class Rig {
  readonly cache = new ObjectCache<Pod>();
  readonly arrivals = new Arrivals();
  readonly said: AddressAction[] = [];
  readonly check: PodAddressCheck;

  constructor(setting: Setting, known?: Pod) {
    if (known !== undefined) this.cache.set(known);
    const events = new KubeEvents(pino({ level: "silent" }));
    events.otherAddress = (action) => void this.said.push(action);
    const { arrivals } = this;
    const kube = { caches: { pods: { cache: this.cache } }, arrivals, events };
    this.check = new PodAddressCheck({ setting, kube: kube as unknown as Kube });
  }

  async ask(peer?: string, of = claimed): Promise<string> {
    try {
      await this.check.pass(of, peer);
      return "passes";
    } catch (error) {
      assert.ok(error instanceof AuthnError, String(error));
      return error.code;
    }
  }
}

describe("where a pod's token comes from", () => {
  const { evidence } = claimed;
  const ofNoPod = { ...claimed, evidence: { ...evidence, pod: undefined } };
  const table: readonly (readonly [
    string,
    Setting,
    Pod | undefined,
    string | undefined,
    string,
    readonly AddressAction[],
  ])[] = [
    ["is its pod", "refuse", pod, home, "passes", []],
    ["is another place", "refuse", pod, away, "token-address", ["refuse"]],
    ["is another place, which is only told", "warn", pod, away, "passes", ["warn"]],
    ["is not looked at", "off", pod, away, "passes", []],
    ["is not its holder's own address", "refuse", pod, undefined, "passes", []],
    ["is told where nobody knows the pod", "warn", undefined, away, "passes", ["unknown"]],
    [
      "is refused where nobody knows the pod",
      "refuse",
      undefined,
      home,
      "identities-unavailable",
      ["unknown"],
    ],
    [
      "is refused where the pod has another's name",
      "refuse",
      { ...pod, uid: "u-2" },
      home,
      "identities-unavailable",
      ["unknown"],
    ],
    [
      "is refused where the pod has no address yet",
      "refuse",
      { ...pod, podIPs: [] },
      home,
      "identities-unavailable",
      ["unknown"],
    ],
  ];
  for (const [title, setting, known, peer, expected, said] of table) {
    it(title, async () => {
      const rig = new Rig(setting, known);
      assert.equal(await rig.ask(peer), expected);
      assert.deepEqual(rig.said, said);
    });
  }

  it("is anywhere for a token of no pod", async () => {
    assert.equal(await new Rig("refuse").ask(away, ofNoPod), "passes");
  });

  it("is waited for where the pod's address comes a little later", async () => {
    for (const [peer, expected] of [
      [home, "passes"],
      [away, "token-address"],
    ] as const) {
      const rig = new Rig("refuse", { ...pod, podIPs: [] });
      const asked = rig.ask(peer);
      rig.cache.set(pod);
      rig.arrivals.takePods([{ before: { ...pod, podIPs: [] }, after: pod }]);
      assert.equal(await asked, expected);
    }
  });

  it("is known to be another at once, before anybody is asked about the token", () => {
    const code = (setting: Setting, known?: Pod): string => {
      try {
        new Rig(setting, known).check.assertNotElsewhere(claimed, away);
        return "goes on";
      } catch (error) {
        return (error as AuthnError).code;
      }
    };
    assert.equal(code("refuse", pod), "token-address");
    assert.equal(code("warn", pod), "goes on");
    assert.equal(code("refuse"), "goes on");
  });
});
