/** Policy in a simulated process of the server: production's index and rollout, and of the agents' side no more than has to be. */

import { PolicyIndex } from "../../src/core/policy/policy-index.ts";
import type { ProxyIdentity } from "../../src/core/policy/proxy-identity.ts";
import { Rollout, type PolicyPush } from "../../src/core/policy/rollout.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import type { PolicyObject } from "../../src/core/resources/policy-object.ts";
import type { ResourceRef } from "../../src/core/resources/resource.ts";
import type { Reporter } from "../../src/core/roll/evidence.ts";
import { namespace, spiffeIdOf, trustDomain } from "./mesh-objects.ts";
import type { SaidPolicy } from "./pod-talk.ts";

export interface ToldProxy {
  readonly identity: ProxyIdentity;
  readonly reporter: Reporter;
  readonly said: SaidPolicy;
  readonly isConnected: boolean;
}

export class ServerPolicy {
  readonly index: PolicyIndex = new PolicyIndex(trustDomain);
  readonly rollout: Rollout = new Rollout();
  /** By the name of their workload. */
  readonly told: Map<string, ToldProxy> = new Map();
  /** Not heard since the start; by the same name. */
  readonly expected: Map<string, ProxyIdentity> = new Map();

  /** @param hasCertificate whether a workload has an unexpired one */
  set(object: PolicyObject, hasCertificate: (name: string) => boolean): void {
    this.index.set(object);
    if (object.kind !== "WorkloadEntry") return;
    const { ref, serviceAccount } = object.object;
    if (serviceAccount === "" || this.told.has(ref.name) || this.expected.has(ref.name)) return;
    if (!hasCertificate(ref.name)) return;
    const key = `${spiffeIdOf(serviceAccount)} ${ref.name}`;
    const identity = identityOf(key, serviceAccount, ref.name);
    this.expected.set(ref.name, identity);
    this.index.addProxy(identity);
  }

  delete(ref: ResourceRef): void {
    this.index.delete(ref);
    if (ref.kind === "WorkloadEntry") this.#dropExpected(ref.name);
  }

  /** @param sent how many policies on its stream @returns whether it was not known */
  report(reporter: Reporter, said: SaidPolicy, sent: number): boolean {
    const { agentId: name, spiffeId } = reporter;
    const known = this.told.get(name);
    const key = `${spiffeId} ${name} ${spiffeId} ${name}`;
    const labels = new Map([["app", name.slice(0, name.indexOf("-"))]]);
    const identity = known?.identity ?? {
      ...identityOf(key, name, name),
      claimedLabels: labels,
    };
    if (known === undefined) {
      this.index.addProxy(identity);
      this.#dropExpected(name);
    }
    this.told.set(name, { identity, reporter, said, isConnected: true });
    const { answered, ...report } = said.report;
    this.rollout.reported(key, { ...report, isAnswered: answered >= sent });
    return known === undefined;
  }

  disconnected(name: string): void {
    const known = this.told.get(name);
    if (known === undefined) return;
    this.told.set(name, { ...known, isConnected: false });
    this.rollout.disconnected(known.identity.key);
  }

  /** What a pod's port is to take. */
  modeOf(name: string, port: number): ServerMode {
    const identity = this.told.get(name)?.identity ?? this.expected.get(name);
    const decision = identity && this.index.portDecision(identity.key, port);
    return decision?.mode ?? "permissive";
  }

  /** It does not come back. @returns what was told of it */
  remove(name: string): ToldProxy | undefined {
    const known = this.told.get(name);
    this.#dropExpected(name);
    if (known === undefined) return undefined;
    this.told.delete(name);
    this.index.removeProxy(known.identity.key);
    this.rollout.remove(known.identity.key);
    return known;
  }

  takePushes(): readonly PolicyPush[] {
    for (const [key, desired] of this.index.takeChanged()) {
      this.rollout.target(key, { desired, address: this.index.addressOf(key) });
    }
    return this.rollout.takePushes(100);
  }

  #dropExpected(name: string): void {
    const identity = this.expected.get(name);
    if (identity === undefined) return;
    this.expected.delete(name);
    this.index.removeProxy(identity.key);
    this.rollout.remove(identity.key);
  }
}

function identityOf(key: string, serviceAccount: string, nodeId: string): ProxyIdentity {
  return { key, namespace, serviceAccount, nodeId, claimedLabels: new Map() };
}
