/** All objects of the configuration as the decisions look for them, and which MeshConfig counts. */

import { defaultMeshConfig, type MeshConfig } from "../resources/mesh-config.ts";
import { refKey, type MeshConfigObject, type PolicyObject } from "../resources/policy-object.ts";
import { compareAge, type ResourceRef } from "../resources/resource.ts";
import type { MeshPolicy } from "./calls.ts";
import { DestinationRules } from "./destination-rules.ts";
import { PeerPolicies } from "./peer-policies.ts";
import { Services } from "./services.ts";
import { Sidecars } from "./sidecars.ts";

export class PolicyState implements MeshPolicy {
  readonly trustDomain: string;
  readonly peers: PeerPolicies = new PeerPolicies(defaultMeshConfig.rootNamespace);
  readonly rules: DestinationRules = new DestinationRules(defaultMeshConfig.rootNamespace);
  readonly services: Services = new Services();
  readonly sidecars: Sidecars = new Sidecars(defaultMeshConfig.rootNamespace);
  readonly #objects = new Map<string, PolicyObject>();
  readonly #configs = new Map<string, MeshConfigObject>();
  #config: MeshConfig = defaultMeshConfig;

  constructor(trustDomain: string) {
    this.trustDomain = trustDomain;
  }

  /** Of several the oldest counts, as with everything else. */
  get config(): MeshConfig {
    return this.#config;
  }

  of(ref: ResourceRef): PolicyObject | undefined {
    return this.#objects.get(refKey(ref));
  }

  /** In the place of the one of its name. */
  set(object: PolicyObject): void {
    this.#objects.set(refKey(object.object.ref), object);
    switch (object.kind) {
      case "PeerAuthentication":
        this.peers.set(object.object);
        break;
      case "DestinationRule":
        this.rules.set(object.object);
        break;
      case "ServiceEntry":
        this.services.setService(object.object);
        break;
      case "WorkloadEntry":
        this.services.setWorkload(object.object);
        break;
      case "Sidecar":
        this.sidecars.set(object.object);
        break;
      case "MeshConfig":
        this.#configs.set(refKey(object.object.ref), object.object);
        this.#chooseConfig();
        break;
      default:
        object satisfies never;
    }
  }

  delete(ref: ResourceRef): void {
    this.#objects.delete(refKey(ref));
    switch (ref.kind) {
      case "PeerAuthentication":
        this.peers.delete(ref);
        break;
      case "DestinationRule":
        this.rules.delete(ref);
        break;
      case "ServiceEntry":
        this.services.deleteService(ref);
        break;
      case "WorkloadEntry":
        this.services.deleteWorkload(ref);
        break;
      case "Sidecar":
        this.sidecars.delete(ref);
        break;
      case "MeshConfig":
        this.#configs.delete(refKey(ref));
        this.#chooseConfig();
        break;
      default:
        ref.kind satisfies never;
    }
  }

  #chooseConfig(): void {
    const [oldest] = Array.from(this.#configs.values()).toSorted(compareAge);
    this.#config = oldest?.config ?? defaultMeshConfig;
    const { rootNamespace } = this.#config;
    for (const all of [this.peers, this.rules, this.sidecars]) all.rootNamespace = rootNamespace;
  }
}
