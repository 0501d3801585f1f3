/**
 * An Envoy on an ADS stream as it was seen to behave, sharing no code with the server: it applies what is good of a response that it
 * refuses, a cluster that has changed waits for its endpoints once more, and says nothing of its clusters while one waits. In state of
 * the world it asks for the endpoints again; in delta it does not.
 */

import type { PolicyKind, PolicyResponse } from "../../src/core/xds/policy-draft.ts";
import type { DeltaRequest, SotwRequest } from "../../src/core/xds/subscriber.ts";
import type { XdsProtocol, XdsResponse } from "../../src/core/xds/subscription.ts";

type Resource = XdsResponse<undefined>["resources"][number];

export interface AdsRequest {
  readonly kind: PolicyKind;
  readonly sotw: SotwRequest;
  readonly delta: DeltaRequest;
}

interface Type {
  readonly held: Map<string, string>;
  versionInfo: string;
  nonce: string;
}

/** A version that begins so is refused. */
export const badVersion = "bad";

export class AdsClient {
  readonly #protocol: XdsProtocol;
  readonly #types: Readonly<Record<PolicyKind, Type>> = {
    clusters: newType(),
    endpoints: newType(),
    listeners: newType(),
  };
  readonly #warming = new Set<string>();
  /** That have had their endpoints once. */
  readonly #usable = new Set<string>();
  #heldReplies: AdsRequest[] = [];
  #asksForListeners = false;
  requests: AdsRequest[] = [];

  constructor(protocol: XdsProtocol) {
    this.#protocol = protocol;
    this.#begin();
  }

  held(kind: PolicyKind): ReadonlyMap<string, string> {
    return this.#types[kind].held;
  }

  isUsable(cluster: string): boolean {
    return this.#usable.has(cluster);
  }

  reconnect(): void {
    this.requests = [];
    this.#heldReplies = [];
    this.#begin();
  }

  receive({ kind, response }: PolicyResponse): void {
    const { nonce, versionInfo } = response;
    const type = this.#types[kind];
    const before = this.#endpointNames();
    const error = this.#apply(kind, response) ? undefined : "refused";
    type.nonce = nonce;
    if (error === undefined) type.versionInfo = versionInfo;
    if (kind === "clusters") this.#askForEndpoints(before);
    const reply = this.#request(kind, { error, responseNonce: nonce });
    if (kind === "clusters") this.#heldReplies.push(reply);
    else this.requests.push(reply);
    if (this.#warming.size > 0) return;
    this.requests.push(...this.#heldReplies.splice(0));
    if (this.#asksForListeners || this.#types.clusters.nonce === "") return;
    this.#asksForListeners = true;
    this.requests.push(this.#request("listeners", {}));
  }

  #begin(): void {
    for (const kind of ["clusters", "endpoints", "listeners"] as const) {
      this.#types[kind].nonce = "";
    }
    this.requests.push(this.#request("clusters", { initialVersions: this.held("clusters") }));
    const names = this.#endpointNames();
    if (names.length > 0) {
      const initialVersions = this.held("endpoints");
      this.requests.push(this.#request("endpoints", { subscribe: names, initialVersions }));
    }
    if (!this.#asksForListeners) return;
    this.requests.push(this.#request("listeners", { initialVersions: this.held("listeners") }));
  }

  #apply(kind: PolicyKind, { resources, removed }: XdsResponse<undefined>): boolean {
    const { held } = this.#types[kind];
    const isWhole = this.#protocol === "sotw" && kind !== "endpoints";
    const gone = isWhole ? notIn(held, resources) : removed;
    for (const name of gone) this.#remove(kind, name);
    const mine = resources.filter(({ name }) => kind !== "endpoints" || this.#knows(name));
    const good = mine.filter(({ version }) => !version.startsWith(badVersion));
    for (const { name, version } of good) {
      if (kind === "clusters" && held.get(name) !== version) this.#warming.add(name);
      if (kind === "endpoints") this.#warm(name);
      held.set(name, version);
    }
    return good.length === mine.length;
  }

  #remove(kind: PolicyKind, name: string): void {
    this.#types[kind].held.delete(name);
    if (kind !== "clusters") return;
    this.#types.endpoints.held.delete(name);
    this.#warming.delete(name);
    this.#usable.delete(name);
  }

  #warm(name: string): void {
    this.#warming.delete(name);
    this.#usable.add(name);
  }

  #knows(cluster: string): boolean {
    return this.#types.clusters.held.has(cluster);
  }

  #endpointNames(): string[] {
    return [...this.#types.clusters.held.keys()];
  }

  #askForEndpoints(before: readonly string[]): void {
    const names = this.#endpointNames();
    const subscribe = names.filter((name) => !before.includes(name));
    const unsubscribe = before.filter((name) => !names.includes(name));
    const hasChanged = subscribe.length > 0 || unsubscribe.length > 0;
    const asksAgain = this.#protocol === "sotw" && this.#warming.size > 0;
    if (!hasChanged && !asksAgain) return;
    this.requests.push(this.#request("endpoints", { subscribe, unsubscribe }));
  }

  #request(kind: PolicyKind, changes: Partial<DeltaRequest>): AdsRequest {
    const type = this.#types[kind];
    const { error } = changes;
    const common = { typeUrl: "", node: undefined, error, responseNonce: type.nonce };
    const none = { subscribe: [], unsubscribe: [], initialVersions: new Map<string, string>() };
    return {
      kind,
      sotw: {
        ...common,
        versionInfo: type.versionInfo,
        resourceNames: kind === "endpoints" ? this.#endpointNames() : [],
      },
      delta: { ...common, ...none, responseNonce: "", ...changes },
    };
  }
}

function newType(): Type {
  return { held: new Map(), versionInfo: "", nonce: "" };
}

function notIn(held: ReadonlyMap<string, string>, resources: readonly Resource[]): string[] {
  return [...held.keys()].filter((name) => !resources.some((each) => each.name === name));
}
