/**
 * Whether a token comes from where its pod is. A pod, or its address, may be quicker than the watch: where others are refused it is waited
 * for, and what cannot be known then is no reason to let anybody pass.
 */

import { AuthnError } from "../../../../core/identity/authn-error.ts";
import type { ClaimedCaller } from "../../../../core/identity/kubernetes-review-caller.ts";
import { comparePodAddress, type PodAddress } from "../../../../core/kube/who/pod-address.ts";
import type { Pod } from "../../../../core/kube/pod.ts";
import { nameKey } from "../../../../core/resources/resource.ts";
import type { PodAddressCheck as Setting } from "../../../../edge/config/kube-settings.ts";
import type { Kube } from "../kube.ts";

export interface PodAddressCheckOptions {
  readonly setting: Setting;
  readonly kube: Pick<Kube, "caches" | "arrivals" | "events">;
}

const arrivalMs = 1_000;

export class PodAddressCheck {
  readonly #options: PodAddressCheckOptions;

  constructor(options: PodAddressCheckOptions) {
    this.#options = options;
  }

  /**
   * @param peer of the call; undefined where that is not the holder's own
   * @returns false where it has to be waited for
   * @throws AuthnError `token-address`
   */
  passes(claimed: ClaimedCaller, peer: string | undefined): boolean {
    const { setting } = this.#options;
    const bound = claimed.evidence.pod;
    if (setting === "off" || peer === undefined || bound === undefined) return true;
    const pod = this.#podOf(claimed);
    const place = placeOf(pod, peer);
    if (place === "unknown" && setting === "refuse") return false;
    if (place === "other") this.#isElsewhere(claimed, pod, peer);
    if (place === "unknown") this.#isUnknown(claimed, pod, peer);
    return true;
  }

  /** Before anybody is asked about it. @throws AuthnError `token-address` where it is another's for certain, and that is refused */
  assertNotElsewhere(claimed: ClaimedCaller, peer: string | undefined): void {
    if (this.#options.setting === "refuse") this.passes(claimed, peer);
  }

  /** @throws AuthnError `token-address`; `identities-unavailable` where nobody says in time where its pod is */
  async pass(claimed: ClaimedCaller, peer: string | undefined): Promise<void> {
    const endMs = performance.now() + arrivalMs;
    while (!this.passes(claimed, peer)) {
      const uid = claimed.evidence.pod?.uid ?? "";
      if (await this.#options.kube.arrivals.next(uid, endMs - performance.now())) continue;
      this.#isUnknown(claimed, this.#podOf(claimed), peer ?? "");
      throw new AuthnError("identities-unavailable", "nobody has said yet where its pod is", {
        claimed,
        hint: "try again; --pod-address refuse needs a pod's address, and watches that are current",
      });
    }
  }

  #podOf({ namespace = "", evidence }: ClaimedCaller): Pod | undefined {
    const { name = "", uid } = evidence.pod ?? {};
    const pod = this.#options.kube.caches.pods.cache.find(namespace, name);
    return pod?.uid === uid ? pod : undefined;
  }

  /** @throws AuthnError */
  #isElsewhere(claimed: ClaimedCaller, pod: Pod | undefined, peer: string): void {
    const { setting } = this.#options;
    if (setting === "off") return;
    this.#say(setting, claimed, pod, peer);
    if (setting === "warn") return;
    const expected = pod?.podIPs.join(" or ") ?? "";
    throw new AuthnError("token-address", `expected ${expected}, got ${peer}`, {
      claimed,
      hint: "between pods and this server nothing may translate addresses; else --pod-address warn",
    });
  }

  #isUnknown(claimed: ClaimedCaller, pod: Pod | undefined, peer: string): void {
    this.#say("unknown", claimed, pod, peer);
  }

  #say(
    action: "warn" | "refuse" | "unknown",
    { namespace = "", evidence }: ClaimedCaller,
    pod: Pod | undefined,
    peer: string,
  ): void {
    const { name = "", uid: podUid = "" } = evidence.pod ?? {};
    const podIps = pod?.podIPs ?? [];
    this.#options.kube.events.otherAddress(action, {
      pod: nameKey({ namespace, name }),
      podUid,
      podIps,
      peer,
    });
  }
}

/** @param pod undefined: the watch does not know it */
function placeOf(pod: Pod | undefined, peer: string): PodAddress {
  return pod === undefined ? "unknown" : comparePodAddress(pod, peer);
}
