/** A subscriber of a whole set under test: sends it events, keeps what came out. */

import assert from "node:assert/strict";
import { resourceSet, type ResourceSet } from "../../src/core/xds/resource-set.ts";
import {
  isTaken,
  openSetSubscriber,
  receiveSet,
  receiveSetDelta,
  receiveSetSotw,
  type SetStep,
} from "../../src/core/xds/set-subscriber.ts";
import type { SetSubscriber } from "../../src/core/xds/set-replies.ts";
import type { DeltaRequest, SotwRequest } from "../../src/core/xds/subscriber.ts";
import type { XdsProtocol, XdsResponse } from "../../src/core/xds/subscription.ts";

const typeUrl = "type.googleapis.com/test.Cluster";

export class SetStream {
  #subscriber: SetSubscriber<undefined>;

  constructor(protocol: XdsProtocol, set: ResourceSet<undefined> | undefined) {
    this.#subscriber = openSetSubscriber({ protocol, typeUrl, noncePrefix: "p-" });
    if (set !== undefined) this.change(set);
  }

  get isTaken(): boolean {
    return isTaken(this.#subscriber);
  }

  get refusal(): SetSubscriber<undefined>["refusal"] {
    return this.#subscriber.refusal;
  }

  get unanswered(): number {
    return this.#subscriber.unanswered.length;
  }

  change(set: ResourceSet<undefined>): XdsResponse<undefined> | undefined {
    return this.#continue(receiveSet(this.#subscriber, set));
  }

  /** For everything, in either variant. */
  ask(): XdsResponse<undefined> | undefined {
    return this.#subscriber.protocol === "sotw" ? this.sotw({}) : this.delta({});
  }

  sotw(request: Partial<SotwRequest>): XdsResponse<undefined> | undefined {
    return this.#continue(this.trySotw(request));
  }

  delta(request: Partial<DeltaRequest>): XdsResponse<undefined> | undefined {
    return this.#continue(this.tryDelta(request));
  }

  trySotw(request: Partial<SotwRequest>): SetStep<undefined> {
    const defaults = { node: undefined, versionInfo: "", responseNonce: "", error: undefined };
    const whole = { typeUrl, ...defaults, resourceNames: [], ...request };
    return receiveSetSotw(this.#subscriber, whole);
  }

  tryDelta(request: Partial<DeltaRequest>): SetStep<undefined> {
    const defaults = { node: undefined, responseNonce: "", error: undefined };
    const names = { subscribe: [], unsubscribe: [], initialVersions: new Map<string, string>() };
    return receiveSetDelta(this.#subscriber, { typeUrl, ...defaults, ...names, ...request });
  }

  ack({ nonce, versionInfo }: XdsResponse<undefined>): XdsResponse<undefined> | undefined {
    if (this.#subscriber.protocol === "delta") return this.delta({ responseNonce: nonce });
    return this.sotw({ responseNonce: nonce, versionInfo });
  }

  nack({ nonce }: XdsResponse<undefined>, error = "no"): XdsResponse<undefined> | undefined {
    if (this.#subscriber.protocol === "delta") return this.delta({ responseNonce: nonce, error });
    return this.sotw({ responseNonce: nonce, versionInfo: "older", error });
  }

  #continue(step: SetStep<undefined>): XdsResponse<undefined> | undefined {
    assert(step.kind === "continue");
    this.#subscriber = step.subscriber;
    return step.response;
  }
}

/** By name, their versions. */
export function setOf(resources: Readonly<Record<string, string>>): ResourceSet<undefined> {
  return resourceSet(
    Object.entries(resources).map(([name, version]) => {
      return { name, version, body: new Uint8Array(), evidence: undefined };
    }),
  );
}
